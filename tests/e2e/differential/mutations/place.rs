//! Where the token stands in the request.

use super::super::case::Mutation::Placement;
use super::super::case::{Headers, anywhere};
use super::{Row, one_of};

pub const MUTATIONS: &[Row] = &[
    ("place: none", Placement(|_, _| vec![])),
    (
        "place: an empty header",
        Placement(|_, rng| vec![(one_of(rng, &["x-wristband-token", "authorization"]), vec![])]),
    ),
    (
        "place: a name of other case",
        Placement(|token, rng| {
            if rng.bool() {
                vec![("X-Wristband-TOKEN", token.into())]
            } else {
                vec![("AUTHORIZATION", format!("Bearer {token}").into())]
            }
        }),
    ),
    (
        "place: whitespace around the value",
        Placement(|token, rng| {
            let (before, behind) = (one_of(rng, &["", " ", "\t"]), one_of(rng, &[" ", "\t", "  "]));
            vec![("x-wristband-token", format!("{before}{token}{behind}").into())]
        }),
    ),
    (
        "place: a scheme of other case",
        Placement(|token, rng| bearer(one_of(rng, &["bearer ", "BEARER ", "bEaReR "]), token)),
    ),
    (
        "place: another scheme",
        Placement(|token, rng| bearer(one_of(rng, &["Basic ", "DPoP ", "Token ", "JWT ", "BearerX ", "Bear "]), token)),
    ),
    ("place: no scheme", Placement(|token, _| bearer("", token))),
    (
        "place: the scheme in the other header",
        Placement(|token, _| vec![("x-wristband-token", format!("Bearer {token}").into())]),
    ),
    (
        "place: something before the scheme",
        Placement(|token, rng| {
            bearer(one_of(rng, &["foo Bearer ", "x=\"Bearer ", "Basic Bearer ", "xBearer "]), token)
        }),
    ),
    ("place: the scheme twice", Placement(|token, _| bearer("Bearer Bearer ", token))),
    ("place: two spaces", Placement(|token, rng| bearer(one_of(rng, &["Bearer  ", "Bearer   "]), token))),
    (
        "place: a space and more",
        Placement(|token, rng| bearer(one_of(rng, &["Bearer \t", "Bearer \"", "Bearer =", "Bearer :"]), token)),
    ),
    (
        "place: no space",
        Placement(|token, rng| bearer(one_of(rng, &["Bearer", "Bearer\t", "Bearer:", "Bearer="]), token)),
    ),
    (
        "place: something behind",
        Placement(|token, rng| {
            let token = format!("{token}{}", one_of(rng, &[";", "\"", ", x=y", ",", "?"]));
            anywhere(&token, rng)
        }),
    ),
    (
        "place: a word behind",
        Placement(|token, rng| anywhere(&format!("{token} {}", one_of(rng, &["x", "_", "A"])), rng)),
    ),
    (
        "place: the token twice in a list",
        Placement(|token, rng| {
            if rng.bool() {
                vec![("x-wristband-token", format!("{token},{token}").into())]
            } else {
                bearer("Bearer ", &format!("{token}, Bearer {token}"))
            }
        }),
    ),
    (
        "place: a list with another scheme",
        Placement(|token, rng| {
            if rng.bool() { bearer("Basic x, Bearer ", token) } else { bearer("Bearer ", &format!("{token}, Basic x")) }
        }),
    ),
    (
        "place: one header twice",
        Placement(|token, rng| {
            let (name, value) = anywhere(token, rng).remove(0);
            vec![(name, value.clone()), (name, value)]
        }),
    ),
    (
        "place: one header twice, once empty",
        Placement(|token, rng| {
            let (name, value) = anywhere(token, rng).remove(0);
            if rng.bool() { vec![(name, value), (name, vec![])] } else { vec![(name, vec![]), (name, value)] }
        }),
    ),
    (
        "place: one header twice, once something else",
        Placement(|token, rng| {
            let (name, value) = anywhere(token, rng).remove(0);
            let other = one_of(rng, &["x", "a.b.c", "Basic dTpw", "Bearer x"]).into();
            if rng.bool() { vec![(name, value), (name, other)] } else { vec![(name, other), (name, value)] }
        }),
    ),
    (
        "place: both headers",
        Placement(|token, _| [vec![("x-wristband-token", token.into())], bearer("Bearer ", token)].concat()),
    ),
    (
        "place: both headers, one empty",
        Placement(|token, rng| {
            if rng.bool() {
                vec![("x-wristband-token", token.into()), ("authorization", vec![])]
            } else {
                [vec![("x-wristband-token", vec![])], bearer("Bearer ", token)].concat()
            }
        }),
    ),
    (
        "place: both headers, one something else",
        Placement(|token, rng| {
            if rng.bool() {
                [vec![("x-wristband-token", one_of(rng, &["x", "a.b.c"]).into())], bearer("Bearer ", token)].concat()
            } else {
                [vec![("x-wristband-token", token.into())], bearer("Bearer ", one_of(rng, &["x", "a.b.c"]))].concat()
            }
        }),
    ),
    (
        "place: another scheme beside",
        Placement(|token, rng| {
            let other = one_of(rng, &["Basic dTpw", "DPoP x", "Digest a=b, c=d", "Basic"]);
            [vec![("x-wristband-token", token.into())], bearer(other, "")].concat()
        }),
    ),
];

fn bearer(scheme: &str, token: &str) -> Headers {
    vec![("authorization", format!("{scheme}{token}").into())]
}

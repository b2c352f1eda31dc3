//! Where configurations of the filter stand in files: alone, in a bootstrap or another resource of Envoy's, in an Istio
//! `WasmPlugin`, in an Envoy Gateway `EnvoyExtensionPolicy`.

use std::rc::Rc;

use serde_json::Value;

use super::document::{Kind, Node, Place, Unreadable, documents};
use crate::config::fields::ROOT;
use crate::encoding::protobuf;
use crate::jose::path::Path;

/// A configuration, as it reaches the filter.
pub(super) struct Found {
    /// The plugin's name, where it has one.
    pub(super) name: Option<String>,
    /// The bytes that the filter gets.
    pub(super) bytes: Vec<u8>,
    /// What stands twice, of which Envoy keeps the last without a word.
    pub(super) doubles: Vec<Path>,
    /// What is around it, from the outside in; the last is Envoy's configuration of the plugin. Empty where it stands alone.
    pub(super) around: Vec<Rc<Node>>,
    places: Places,
}

/// Where the parts of a configuration stand.
enum Places {
    /// As they stand in the file.
    Direct(Rc<Node>),
    /// In a text of the file, which may be no JSON: its lines begin there.
    Inside(Option<Rc<Node>>, Place),
    /// In a text that has no lines of its own.
    At(Place),
}

/// How Envoy or a control plane hands values over.
#[derive(Clone, Copy)]
enum Form {
    /// As a `google.protobuf.Struct` that was made of YAML by Envoy.
    Struct,
    /// As one that was made of JSON: of a file, or by Kubernetes.
    StructOfJson,
    /// As JSON text that was made of an object.
    Json,
}

impl Found {
    /// Where a part of it stands.
    pub(super) fn place_of(&self, path: &Path) -> Place {
        match &self.places {
            Places::Direct(node) => node.place_of(path),
            Places::At(place) => *place,
            Places::Inside(None, start) => *start,
            Places::Inside(Some(node), start) => behind(*start, node.place_of(path)),
        }
    }

    /// Where a place of its text stands in the file.
    pub(super) fn place_in(&self, inside: Place) -> Place {
        match &self.places {
            Places::Direct(_) => inside,
            Places::At(place) => *place,
            Places::Inside(_, start) => behind(*start, inside),
        }
    }

    /// The configuration as a value, if it can be read at all.
    pub(super) fn value(&self) -> Option<Value> {
        match <prost_types::Struct as prost::Message>::decode(&*self.bytes) {
            Ok(message) => protobuf::from_struct(message).ok(),
            Err(_) => serde_json::from_slice(&self.bytes).ok(),
        }
    }

    fn of_object(name: Option<String>, node: &Rc<Node>, form: Form, around: Vec<Rc<Node>>) -> Self {
        let (value, doubles) = match form {
            Form::Struct => node.value(),
            Form::StructOfJson | Form::Json => node.json(),
        };
        let bytes = match (form, &value) {
            (Form::Struct | Form::StructOfJson, Value::Object(members)) => protobuf::struct_bytes(members),
            _ => value.to_string().into_bytes(),
        };
        Self { name, bytes, doubles, around, places: Places::Direct(Rc::clone(node)) }
    }

    fn of_text(name: Option<String>, node: &Node, source: &str, around: Vec<Rc<Node>>) -> Self {
        let Kind::Scalar { text, is_block, .. } = &node.kind else {
            return Self { name, bytes: Vec::new(), doubles: Vec::new(), around, places: Places::At(node.place) };
        };
        // JSON is YAML as well.
        let inner = documents(text).ok().and_then(|documents| documents.into_iter().next());
        let places = match first_line(node, source) {
            Some((index, line)) if *is_block => {
                let column = line.len().saturating_sub(line.trim_start().len()).saturating_add(1);
                Places::Inside(inner, Place { line: index.saturating_add(1), column })
            }
            _ => Places::At(node.place),
        };
        Self { name, bytes: text.clone().into_bytes(), doubles: Vec::new(), around, places }
    }
}

/// The first line of a text that stands below, and its number from zero on.
fn first_line<'s>(node: &Node, source: &'s str) -> Option<(usize, &'s str)> {
    // Its place is that of its mark or that of its first line.
    let before = node.place.line.saturating_sub(1);
    let is_mark = |line: &str| line.trim_end().ends_with(['|', '>', '-', '+']) && line.contains(['|', '>']);
    let skipped = before.saturating_add(usize::from(source.lines().nth(before).is_some_and(is_mark)));
    source.lines().enumerate().skip(skipped).find(|(_, line)| !line.trim().is_empty())
}

/// A text that stands below, with all before it blank: so that everything in it stands where it stands in the file.
fn alone(node: &Node, source: &str) -> Option<String> {
    let Kind::Scalar { text, is_block: true, .. } = &node.kind else {
        return None;
    };
    let (index, _) = first_line(node, source)?;
    let lines: Vec<_> = source.lines().skip(index).take(text.trim_start_matches('\n').lines().count()).collect();
    Some("\n".repeat(index) + &lines.join("\n") + "\n")
}

/// A place in a text that starts there, indented as its first line is.
fn behind(start: Place, inside: Place) -> Place {
    Place {
        line: start.line.saturating_add(inside.line).saturating_sub(1),
        column: start.column.saturating_add(inside.column).saturating_sub(1),
    }
}

/// All configurations of a file.
pub(super) fn configurations(source: &str) -> Result<Vec<Found>, Unreadable> {
    let is_json = serde_json::from_str::<serde::de::IgnoredAny>(source).is_ok();
    let mut found = Vec::new();
    for document in documents(source)? {
        if is_configuration(&document) && is_json {
            // A file that is JSON is what the filter gets.
            let places = Places::Direct(Rc::clone(&document));
            let bytes = source.as_bytes().to_vec();
            found.push(Found { name: None, bytes, doubles: Vec::new(), around: Vec::new(), places });
        } else if is_configuration(&document) {
            found.push(Found::of_object(None, &document, Form::Struct, Vec::new()));
        } else {
            let is_kubernetes = document.member("apiVersion").is_some() && document.member("kind").is_some();
            let form = if is_json || is_kubernetes { Form::StructOfJson } else { Form::Struct };
            Search { source, form, found: &mut found }.look(&document, &mut Vec::new());
        }
    }
    Ok(found)
}

/// Whether it has a field that only a configuration of the filter has.
fn is_configuration(node: &Node) -> bool {
    const OTHERS: [&str; 3] = ["kind", "static_resources", "resources"];
    let names = || node.members().iter().map(|(name, ..)| name.as_str());
    names().any(|name| ROOT.names.contains(&name)) && !names().any(|name| OTHERS.contains(&name))
}

/// Whether a text mentions such a field, readable or not.
fn mentions_field(text: &str) -> bool {
    ["issuer", "signingKeyRefs", "peers", "issue", "verify"].iter().any(|name| text.contains(&format!("\"{name}\"")))
}

/// A walk through a document.
struct Search<'s> {
    source: &'s str,
    /// How its objects become a `Struct`.
    form: Form,
    found: &'s mut Vec<Found>,
}

impl Search<'_> {
    fn look(&mut self, node: &Rc<Node>, around: &mut Vec<Rc<Node>>) {
        around.push(Rc::clone(node));
        let name = |node: &Node, path: &[&str]| node.at(path).and_then(Node::text).map(str::to_owned);
        match node.member("kind").and_then(|kind| kind.text()) {
            Some("WasmPlugin") => {
                let configuration = node.member("spec").and_then(|spec| spec.member("pluginConfig"));
                if let Some(configuration) = configuration.filter(|node| is_configuration(node)) {
                    let name = name(node, &["metadata", "name"]);
                    self.found.push(Found::of_object(name, configuration, Form::Json, around.clone()));
                }
            }
            Some("EnvoyExtensionPolicy") => {
                let wasm = node.at(&["spec", "wasm"]).map(Node::items).unwrap_or_default();
                for extension in wasm {
                    if let Some(configuration) = extension.member("config").filter(|node| is_configuration(node)) {
                        let name = name(extension, &["name"]);
                        let around = [&around[..], &[Rc::clone(extension)]].concat();
                        self.found.push(Found::of_object(name, configuration, Form::Json, around));
                    }
                }
            }
            // Files of Envoy's, which a pod mounts.
            Some("ConfigMap") => {
                let files = node.at(&["data"]).map(Node::members).unwrap_or_default();
                for source in files.iter().filter_map(|(.., file)| alone(file, self.source)) {
                    for document in documents(&source).unwrap_or_default() {
                        let mut search = Search { source: &source, form: Form::Struct, found: self.found };
                        search.look(&document, &mut vec![Rc::clone(node)]);
                    }
                }
            }
            _ if node.member("vm_config").is_some() => {
                let found = self.of_plugin(node, around);
                self.found.extend(found);
            }
            _ => {
                for inner in node.items().iter().chain(node.members().iter().map(|(.., node)| node)) {
                    self.look(inner, around);
                }
            }
        }
        around.pop();
    }

    /// That of a `PluginConfig` of Envoy's, if it is the filter's: it has a field of it, or the module's name says so. What
    /// cannot be read is taken as it is, so that the filter says what is wrong.
    fn of_plugin(&self, plugin: &Rc<Node>, around: &[Rc<Node>]) -> Option<Found> {
        let name = plugin.at(&["name"]).and_then(Node::text).map(str::to_owned);
        let around = around.to_vec();
        let module = ["local", "remote"].iter().filter_map(|kind| {
            let code = plugin.at(&["vm_config", "code", kind])?;
            code.at(&["filename"]).or_else(|| code.at(&["http_uri", "uri"]))?.text()
        });
        let is_named = module.into_iter().any(|module| module.contains("wristband"));
        let nothing = |around| Found {
            name: name.clone(),
            bytes: Vec::new(),
            doubles: Vec::new(),
            around,
            places: Places::At(plugin.place),
        };
        let Some(configuration) = plugin.member("configuration") else {
            return is_named.then(|| nothing(around));
        };
        let kind = configuration.at(&["@type"]).and_then(Node::text).unwrap_or_default();
        if kind.ends_with("google.protobuf.Struct") {
            let value = configuration.member("value").filter(|value| is_named || is_configuration(value))?;
            return Some(Found::of_object(name, value, self.form, around));
        }
        let path: &[&str] = if kind.ends_with("GenericSecret") { &["secret", "inline_string"] } else { &["value"] };
        let text = configuration.at(path).filter(|node| is_named || node.text().is_some_and(mentions_field));
        match text {
            Some(text) => Some(Found::of_text(name, text, self.source, around)),
            None => is_named.then(|| nothing(around)),
        }
    }
}

// Command validate checks Kubernetes manifests as an API server would: against the CRDs in a folder, with the API server's own
// code, and against the types of Kubernetes.
//
// Usage: validate CRDS FILE... Exit 0: all are right; 1: what is wrong, a line each; 2: it could not be looked at.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: validate CRDS FILE...")
		os.Exit(2)
	}
	kinds, err := load(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	wrong := false
	for _, file := range os.Args[2:] {
		objects, err := documents(file)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		for _, object := range objects {
			for _, problem := range check(kinds, object) {
				fmt.Printf("%s: %s\n", file, problem)
				wrong = true
			}
		}
	}
	if wrong {
		os.Exit(1)
	}
}

// The kinds of Kubernetes itself.
func builtin(name string) any {
	switch name {
	case "v1/ConfigMap":
		return &corev1.ConfigMap{}
	case "v1/Service":
		return &corev1.Service{}
	case "apps/v1/Deployment":
		return &appsv1.Deployment{}
	}
	return nil
}

// The schema of each version of each kind, by its name.
type schemas map[string]*apiextensionsv1.JSONSchemaProps

// A version of a CRD, compiled.
type kind struct {
	structural *schema.Structural
	validator  validation.SchemaValidator
	rules      *cel.Validator
}

// An object as it came, and its name for people.
type object struct {
	text []byte
	meta metav1.PartialObjectMetadata
}

func (o *object) kind() string { return o.meta.APIVersion + "/" + o.meta.Kind }

// Splits a file into its objects.
func documents(file string) ([]object, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var objects []object
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		var found object
		found.text, err = reader.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err == nil {
			err = yaml.Unmarshal(found.text, &found.meta)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		// Only comments stand before the first line of dashes.
		if found.kind() != "/" {
			objects = append(objects, found)
		}
	}
}

func check(kinds schemas, object object) []string {
	name := fmt.Sprintf("%s %s", object.meta.Kind, object.meta.Name)
	if into := builtin(object.kind()); into != nil {
		var problems []string
		for _, problem := range decodeStrictly(object.text, into) {
			problems = append(problems, fmt.Sprintf("%s: %v", name, problem))
		}
		return problems
	}
	schema, known := kinds[object.kind()]
	if !known {
		return []string{fmt.Sprintf("%s: no kind %s is known", name, object.kind())}
	}
	kind, err := compile(schema)
	if err != nil {
		return []string{fmt.Sprintf("%s: %v", name, err)}
	}
	value, err := decode(object.text)
	if err != nil {
		return []string{fmt.Sprintf("%s: %v", name, err)}
	}
	var problems []string
	for _, problem := range kind.check(value) {
		problems = append(problems, fmt.Sprintf("%s: %s", name, problem))
	}
	return problems
}

// As the API server with `fieldValidation: Strict`: the case of names counts.
func decodeStrictly(text []byte, into any) []error {
	text, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return []error{err}
	}
	problems, err := json.UnmarshalStrict(text, into)
	if err != nil {
		return []error{err}
	}
	return problems
}

// Whole numbers stay whole, as the rules expect them.
func decode(text []byte) (map[string]any, error) {
	text, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return nil, err
	}
	var value map[string]any
	return value, utiljson.Unmarshal(text, &value)
}

// What an API server does to an object that is created, in its order. It drops unknown fields; here they are problems.
func (k *kind) check(value map[string]any) []string {
	var problems []string
	options := schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}
	for _, path := range pruning.PruneWithOptions(value, k.structural, true, options) {
		problems = append(problems, "unknown field "+path)
	}
	defaulting.Default(value, k.structural)
	found := validation.ValidateCustomResource(nil, value, k.validator)
	found = append(found, listtype.ValidateListSetsAndMaps(nil, k.structural, value)...)
	rules, _ := k.rules.Validate(context.Background(), nil, k.structural, value, nil, celconfig.RuntimeCELCostBudget)
	for _, err := range append(found, rules...) {
		problems = append(problems, err.Error())
	}
	return problems
}

// Reads all CRDs of a folder.
func load(folder string) (schemas, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("%s: no CRD", folder)
	}
	kinds := schemas{}
	for _, file := range files {
		objects, err := documents(file)
		if err != nil {
			return nil, err
		}
		for _, object := range objects {
			if err := define(kinds, object); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", file, object.meta.Name, err)
			}
		}
	}
	return kinds, nil
}

func define(kinds schemas, object object) error {
	if object.meta.Kind != "CustomResourceDefinition" {
		return nil
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(object.text, &crd); err != nil {
		return err
	}
	for _, version := range crd.Spec.Versions {
		kinds[strings.Join([]string{crd.Spec.Group, version.Name, crd.Spec.Names.Kind}, "/")] = version.Schema.OpenAPIV3Schema
	}
	return nil
}

func compile(written *apiextensionsv1.JSONSchemaProps) (*kind, error) {
	var props apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(written, &props, nil); err != nil {
		return nil, err
	}
	structural, err := schema.NewStructural(&props)
	if err != nil {
		return nil, err
	}
	validator, _, err := validation.NewSchemaValidator(&props)
	if err != nil {
		return nil, err
	}
	return &kind{structural, validator, cel.NewValidator(structural, true, celconfig.PerCallLimit)}, nil
}

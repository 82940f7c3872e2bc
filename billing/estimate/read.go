package estimate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// readTemplate reads JSON or YAML into maps, slices, strings, booleans and nil.
// Numbers stay as they were written; YAML's short functions become the long ones.
func readTemplate(b []byte) (map[string]any, error) {
	var v any
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")) {
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			return nil, errors.New(strings.TrimPrefix(err.Error(), "json: "))
		}
		if _, err := d.Token(); err != io.EOF {
			return nil, errors.New("there is something after the end")
		}
		v = plain(v)
	} else {
		var n yaml.Node
		if err := yaml.Unmarshal(b, &n); err != nil {
			return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
		}
		if len(n.Content) == 1 {
			var err error
			if v, err = fromYAML(n.Content[0]); err != nil {
				return nil, err
			}
		}
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("it is no mapping")
	}
	return m, nil
}

// plain makes strings of JSON's numbers, which a template may write either way.
func plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		return v.String()
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = plain(v[k])
		}
	}
	return v
}

// fromYAML refuses aliases, as CloudFormation does.
func fromYAML(n *yaml.Node) (any, error) {
	v, err := untagged(n)
	if err != nil || !strings.HasPrefix(n.Tag, "!") || strings.HasPrefix(n.Tag, "!!") {
		return v, err
	}
	name := n.Tag[1:]
	if name == "GetAtt" {
		if s, ok := v.(string); ok {
			id, attribute, _ := strings.Cut(s, ".")
			v = []any{id, attribute}
		}
	}
	if name != "Ref" && name != "Condition" {
		name = "Fn::" + name
	}
	return map[string]any{name: v}, nil
}

func untagged(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.ScalarNode:
		switch n.Tag {
		case "!!null":
			return nil, nil
		case "!!bool":
			return strings.EqualFold(n.Value, "true"), nil
		}
		return n.Value, nil
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, c := range n.Content {
			var err error
			if list[i], err = fromYAML(c); err != nil {
				return nil, err
			}
		}
		return list, nil
	case yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if _, twice := m[key.Value]; twice || key.Kind != yaml.ScalarNode {
				return nil, fmt.Errorf("line %d: %q is no key, or one a second time", key.Line, key.Value)
			}
			v, err := fromYAML(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			m[key.Value] = v
		}
		return m, nil
	}
	return nil, fmt.Errorf("line %d: aliases are not allowed", n.Line)
}

package audit

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"
)

// hidden stands for what must not be read in an event.
const hidden = "HIDDEN_DUE_TO_SECURITY_REASONS"

// secret are members that are secret whatever the model says of them.
var secret = []string{
	"SecretAccessKey", "SessionToken", "WebIdentityToken", "SAMLAssertion", "Password", "OldPassword", "NewPassword",
	"SecretString", "SecretBinary", "RandomPassword", "Plaintext", "PrivateKeyPlaintext", "CiphertextForRecipient",
	"AuthorizationToken", "Token", "TokenCode", "AddPrivateKey", "PrivateKey", "KeyMaterial", "UserData", "ClientSecret",
}

// valued are the structures whose value is secret while its name is not: environment
// variables, and parameters of Parameter Store.
var valued = map[string][]string{
	"KeyValuePair": {"Value"}, "PutParameterInput": {"Value"}, "Parameter": {"Value"}, "ParameterHistory": {"Value"},
}

// maxElements is how long the parameters or the answer of a call may be; beyond it they
// are left out, as CloudTrail does.
const maxElements = 100 << 10

// elements is an input or output as an event has it: names in lower camel case, and no
// secrets. What there is none of is null.
func elements(v any) json.RawMessage {
	null := json.RawMessage("null")
	if v == nil {
		return null
	}
	shown, ok := show(reflect.ValueOf(v)).(map[string]any)
	if !ok || len(shown) == 0 {
		return null
	}
	b, err := json.Marshal(shown)
	if err != nil || len(b) > maxElements {
		return null
	}
	return b
}

// show is a value as encoding/json should print it; nil for what is absent.
func show(v reflect.Value) any {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Struct:
		if t, ok := v.Interface().(time.Time); ok {
			return date(t)
		}
		return members(v)
	case reflect.Slice:
		return items(v)
	case reflect.Map:
		return entries(v)
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return v.Bool()
	case reflect.Int32, reflect.Int64, reflect.Int:
		return v.Int()
	case reflect.Float32, reflect.Float64:
		return v.Float()
	}
	return nil // streams and functions
}

func members(v reflect.Value) map[string]any {
	out := map[string]any{}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() {
			continue
		}
		shown := show(v.Field(i))
		if shown == nil {
			continue
		}
		if slices.Contains(secret, f.Name) || slices.Contains(valued[v.Type().Name()], f.Name) || sensitive(f) {
			shown = hidden
		}
		out[camel(f.Name)] = shown
	}
	return out
}

// sensitive reports whether the model says that a member must not be shown.
func sensitive(f reflect.StructField) bool {
	_, options, _ := strings.Cut(f.Tag.Get("aws"), ",")
	return slices.Contains(strings.Split(options, ","), "sensitive")
}

func items(v reflect.Value) any {
	if v.IsNil() {
		return nil
	}
	if v.Type().Elem().Kind() == reflect.Uint8 {
		if _, ok := v.Interface().(json.RawMessage); ok {
			return v.Interface()
		}
		return v.Bytes()
	}
	out := make([]any, v.Len())
	for i := range out {
		out[i] = show(v.Index(i))
	}
	return out
}

func entries(v reflect.Value) any {
	if v.IsNil() {
		return nil
	}
	out := map[string]any{}
	for _, k := range v.MapKeys() {
		out[k.String()] = show(v.MapIndex(k))
	}
	return out
}

// camel is a name that begins with a lower-case letter, as vpcId, or with letters that
// belong together, as awsServiceName.
func camel(name string) string {
	r := []rune(name)
	for i := range r {
		if !unicode.IsUpper(r[i]) || i > 0 && i+1 < len(r) && !unicode.IsUpper(r[i+1]) {
			break
		}
		r[i] = unicode.ToLower(r[i])
	}
	return string(r)
}

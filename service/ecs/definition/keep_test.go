package definition

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"reflect"
	"strings"
	"testing"

	"neargate/aws/ecs"
	"neargate/resource/compute/taskdef"
)

// Whatever a request says comes back from the store in the answer: present and
// absent, empty, zero and false.
func TestEveryValueIsKept(t *testing.T) {
	for seed := range int64(200) {
		r := rand.New(rand.NewSource(seed))
		var in ecs.RegisterTaskDefinitionInput
		fill(r, reflect.ValueOf(&in).Elem(), "")
		for i := range in.ContainerDefinitions { // what is always answered
			c := &in.ContainerDefinitions[i]
			c.Cpu, c.Essential = new(r.Int31n(2)), new(r.Intn(2) == 0)
		}
		d := read(&in)
		b, err := json.Marshal(&d)
		if err != nil {
			t.Fatal(err)
		}
		var stored taskdef.Definition
		if err := json.Unmarshal(b, &stored); err != nil {
			t.Fatal(err)
		}
		asked, answered := reflect.ValueOf(in), reflect.ValueOf(*view(&stored))
		for i := range asked.NumField() {
			name := asked.Type().Field(i).Name
			if name == "Tags" {
				continue // answered beside the definition
			}
			if a, b := asked.Field(i).Interface(), answered.FieldByName(name).Interface(); !reflect.DeepEqual(a, b) {
				t.Fatalf("seed %d: %s was asked as\n%s\nand answered as\n%s", seed, name, printed(a), printed(b))
			}
		}
	}
}

// fill sets v and what it holds to random values, absent ones among them. Required
// and always-answered members are present; names and ports are not empty.
func fill(r *rand.Rand, v reflect.Value, tag string) {
	switch v.Kind() {
	case reflect.Pointer:
		if r.Intn(3) == 0 && tag == "" {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		fill(r, v.Elem(), tag)
	case reflect.Slice:
		if r.Intn(3) == 0 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), r.Intn(3), 3))
		for i := range v.Len() {
			fill(r, v.Index(i), "")
		}
	case reflect.Map:
		if r.Intn(3) == 0 {
			return
		}
		v.Set(reflect.MakeMap(v.Type()))
		for i := range r.Intn(3) {
			v.SetMapIndex(reflect.ValueOf(fmt.Sprint("key", i)), reflect.ValueOf(fmt.Sprint(i)))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			tag := alwaysThere[v.Type().Name()+"."+f.Name]
			if strings.Contains(f.Tag.Get("aws"), ",required") && tag == "" {
				tag = "present"
			}
			fill(r, v.Field(i), tag)
		}
	case reflect.String:
		v.SetString(fmt.Sprint("s", r.Intn(10)))
		if r.Intn(4) == 0 && tag == "" {
			v.SetString("")
		}
	case reflect.Bool:
		v.SetBool(r.Intn(2) == 0)
	case reflect.Int32:
		v.SetInt(r.Int63n(3))
		if tag == "nonzero" {
			v.SetInt(1 + r.Int63n(3))
		}
	}
}

// alwaysThere are the members that are never absent in a stored definition: the
// required ones, and those ECS refuses when they are empty.
var alwaysThere = map[string]string{
	"RegisterTaskDefinitionInput.Family": "nonzero", "ContainerDefinition.Name": "nonzero", "ContainerDefinition.Image": "nonzero",
	"PortMapping.ContainerPort": "nonzero", "PortMapping.Protocol": "nonzero", "MountPoint.SourceVolume": "nonzero",
	"MountPoint.ContainerPath": "nonzero", "VolumeFrom.SourceContainer": "nonzero", "Volume.Name": "nonzero", "KeyValuePair.Name": "nonzero",
}

func printed(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

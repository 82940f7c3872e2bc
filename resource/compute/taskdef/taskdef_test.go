package taskdef

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestParseSizes(t *testing.T) {
	for in, want := range map[string]int{
		"256": 256, "1 vCPU": 1024, ".25 vcpu": 256, "0.5vCPU": 512, "32 VCPU": 32768, " 1024 ": 1024, "1. vcpu": 1024,
	} {
		if got, ok := ParseCPU(in); !ok || got != want {
			t.Errorf("ParseCPU(%q) = %d, %v; want %d", in, got, ok, want)
		}
	}
	for in, want := range map[string]int{
		"512": 512, "3072": 3072, "3GB": 3072, "3 GB": 3072, ".5 gb": 512, "0.5GB": 512, "244 GB": 249856,
	} {
		if got, ok := ParseMemory(in); !ok || got != want {
			t.Errorf("ParseMemory(%q) = %d, %v; want %d", in, got, ok, want)
		}
	}
	for _, in := range []string{"", "bad", "-1", "+1", "0", "1.5", "1 GB vCPU", "vCPU", ". vCPU", "1e3", "0x10",
		"99999999999999999999", "0.0001 vCPU", "1/3 vCPU", "0.3333 GB"} {
		if got, ok := ParseCPU(in); ok {
			t.Errorf("ParseCPU(%q) = %d", in, got)
		}
		if got, ok := ParseMemory(in); ok {
			t.Errorf("ParseMemory(%q) = %d", in, got)
		}
	}
}

func TestFargateSize(t *testing.T) {
	valid := map[int][]int{
		256: {512, 1024, 2048}, 512: {1024, 2048, 3072, 4096},
		8192:  {16384, 20480, 24576, 28672, 32768, 36864, 40960, 45056, 49152, 53248, 57344, 61440},
		16384: {32768, 40960, 49152, 57344, 65536, 73728, 81920, 90112, 98304, 106496, 114688, 122880},
		32768: {61440, 122880, 249856},
	}
	for cpu, mems := range valid {
		ok := map[int]bool{}
		for _, m := range mems {
			ok[m] = true
		}
		for m := 256; m <= 262144; m += 256 {
			if got := FargateSize(cpu, m, ""); got != ok[m] {
				t.Errorf("FargateSize(%d, %d) = %v", cpu, m, got)
			}
		}
	}
	for cpu, n := range map[int]int{1024: 7, 2048: 13, 4096: 23} {
		count := 0
		for m := 512; m <= 262144; m += 512 {
			if FargateSize(cpu, m, "WINDOWS_SERVER_2022_CORE") {
				count++
			}
		}
		if count != n {
			t.Errorf("%d CPU units have %d memory sizes on Windows, want %d", cpu, count, n)
		}
	}
	if FargateSize(256, 512, "WINDOWS_SERVER_2022_CORE") || FargateSize(128, 512, "") {
		t.Error("a size that does not exist was found")
	}
}

func FuzzParseSizes(f *testing.F) {
	for _, s := range []string{"256", "1 vCPU", ".5 GB", "0.1gb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, parse := range []func(string) (int, bool){ParseCPU, ParseMemory} {
			n, ok := parse(s)
			if !ok {
				continue
			}
			if again, ok := parse(fmt.Sprint(n)); !ok || again != n || n < 1 {
				t.Fatalf("%q read as %d, which reads as %d, %v", s, n, again, ok)
			}
		}
	})
}

// Storing must keep absent, empty and zero apart.
func TestStoredFormKeepsEmptyAndAbsent(t *testing.T) {
	in := Definition{
		Family:  "web",
		Volumes: []Volume{},
		ContainerDefinitions: []Container{
			{Name: "a", Command: []string{}, DockerLabels: map[string]string{}, Memory: new(int32(0)), Privileged: new(false)},
		},
	}
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out Definition
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(in, out) {
		t.Fatalf("stored as %s, read as %+v", b, out)
	}
	if strings.Contains(string(b), "null") {
		t.Fatalf("absent members are stored: %s", b)
	}
}

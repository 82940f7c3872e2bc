package taskdef

import (
	"regexp"
	"strconv"
	"strings"
)

var (
	cpuForm    = regexp.MustCompile(`^(?i)([0-9]*\.?[0-9]+|[0-9]+\.)\s*vcpu$`)
	memoryForm = regexp.MustCompile(`^(?i)([0-9]*\.?[0-9]+|[0-9]+\.)\s*gb$`)
)

// ParseCPU reads a task's cpu in CPU units, from "1024", "1 vCPU" or ".25 vcpu".
func ParseCPU(s string) (units int, ok bool) { return parseSize(s, cpuForm) }

// ParseMemory reads a task's memory in MiB, from "2048", "2 GB" or ".5gb".
func ParseMemory(s string) (mib int, ok bool) { return parseSize(s, memoryForm) }

// maxSize bounds sizes well above anything ECS has, so that sums cannot overflow.
const maxSize = 1 << 30

// parseSize reads a positive number, or a number of 1024s in the given form that
// makes a whole number.
func parseSize(s string, form *regexp.Regexp) (int, bool) {
	s = strings.TrimSpace(s)
	if strings.Trim(s, "0123456789") == "" {
		n, err := strconv.Atoi(s)
		return n, err == nil && n > 0 && n <= maxSize
	}
	m := form.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	f, err := strconv.ParseFloat(m[1], 64)
	n := f * 1024
	if err != nil || n < 1 || n > maxSize || n != float64(int(n)) {
		return 0, false
	}
	return int(n), true
}

// size is a row of Fargate's table: the memory sizes, in MiB, that go with a
// number of CPU units.
type size struct {
	cpu, from, to, step int
	windows             bool
}

// Source: Task CPU and memory, Amazon ECS Developer Guide.
var sizes = []size{
	{256, 512, 1024, 512, false},
	{256, 2048, 2048, 1024, false},
	{512, 1024, 4096, 1024, false},
	{1024, 2048, 8192, 1024, true},
	{2048, 4096, 16384, 1024, true},
	{4096, 8192, 30720, 1024, true},
	{8192, 16384, 61440, 4096, false},
	{16384, 32768, 122880, 8192, false},
	{32768, 61440, 122880, 61440, false},
	{32768, 249856, 249856, 1024, false},
}

// FargateSize reports whether Fargate has tasks of this many CPU units and MiB,
// for the operating system family ("" and LINUX are the same).
func FargateSize(cpu, memory int, osFamily string) bool {
	windows := strings.HasPrefix(osFamily, "WINDOWS")
	for _, s := range sizes {
		if s.cpu == cpu && memory >= s.from && memory <= s.to && (memory-s.from)%s.step == 0 {
			return !windows || s.windows
		}
	}
	return false
}

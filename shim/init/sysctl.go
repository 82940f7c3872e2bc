package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sysctl sets kernel parameters, each as NAME=VALUE. A value that the kernel does
// not take, or changes, is an error.
func sysctl(settings []string) error {
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		file := filepath.Join("/proc/sys", strings.ReplaceAll(name, ".", "/"))
		if same(file, value) {
			continue
		}
		if err := os.WriteFile(file, []byte(value), 0); err != nil {
			return fmt.Errorf("sysctl %s: %w", name, err)
		}
		if !same(file, value) {
			return fmt.Errorf("sysctl %s cannot be %s", name, value)
		}
	}
	return nil
}

// same reports whether a parameter has a value, however its parts are separated.
func same(file, value string) bool {
	b, err := os.ReadFile(file)
	return err == nil && slices.Equal(strings.Fields(string(b)), strings.Fields(value))
}

package main

import (
	"encoding/hex"
	"strings"

	"sigs.k8s.io/yaml"
)

// own holds what ESO adds to Sprig, written anew from its documented behaviour.
var own = map[string]any{
	"toYaml": func(v any) string {
		out, err := yaml.Marshal(v)
		if err != nil {
			return ""
		}
		return strings.TrimSuffix(string(out), "\n")
	},
	"fromYaml": func(text string) map[string]any {
		out := map[string]any{}
		if err := yaml.Unmarshal([]byte(text), &out); err != nil {
			out["Error"] = err.Error()
		}
		return out
	},
	"hexdec": func(text string) (string, error) {
		out, err := hex.DecodeString(text)
		return string(out), err
	},
}

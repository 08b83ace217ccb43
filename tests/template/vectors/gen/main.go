// Command gen makes the vectors that the template engine is held to: it runs each case through Go's own text/template with
// Sprig and writes down what came out.
//
// Cases stand in cases/*.txt, one a line; ⏎ is a line break and ⇥ a tab. A line may begin with
//
//	E!          an error for us, whatever Go does: refused functions and limits
//	~regexp~~   random: Go's output, and ours, must match
//	=text=>     we differ on purpose and give this text; the comment above the line says why
//
// Run it in this folder: go run .
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"text/template"
	"unicode/utf8"

	"github.com/Masterminds/sprig/v3"
)

// A Vector is one case: exactly one of output, base64, shape and error is set.
type Vector struct {
	Template string  `json:"template"`
	Output   *string `json:"output,omitempty"`
	Base64   *string `json:"base64,omitempty"`
	Shape    *string `json:"shape,omitempty"`
	Error    bool    `json:"error,omitempty"`
	Differs  bool    `json:"differs,omitempty"`
}

func main() {
	data := map[string]string{
		"name": "world", "user": "admin", "password": "s3cr3t&<>\"'\\", "empty": "", "zero": "0", "num": "42", "float": "2.50",
		"multi": "one\ntwo\n\nthree\n", "bin": "\x00\xff\xfeA\x80", "dash-key": "dashed", "dot.key": "dotted", "utf8": "Größe žlutý 日本",
		"json":  `{"a":1,"b":[true,null,"x",2.5],"n":{"k":"v","deep":{"er":"y"}},"s":"<&>","e":"","big":12345678901234567890}`,
		"jlist": `["z","a","m",3]`, "yaml": "a: 1\nb:\n- x\n- yes\nc: {d: e}\n",
	}
	fixtures, err := filepath.Glob("../fixtures/*")
	check(err)
	for _, path := range fixtures {
		content, err := os.ReadFile(path)
		check(err)
		data[filepath.Base(path)] = string(content)
	}
	for _, name := range []string{"leaf.key", "ec-P-256.key", "ec-P-384.key", "ec-P-521.key", "ed25519.key"} {
		key, err := anyKey(data[name])
		check(err)
		data["jwk-"+name], data["jwk-"+name+".pub"] = toJWK(key, true), toJWK(key, false)
	}
	write("../data.json", encoded(data))
	files, err := filepath.Glob("cases/*.txt")
	check(err)
	sort.Strings(files)
	total := 0
	for _, file := range files {
		vectors := run(file, data)
		total += len(vectors)
		write("../"+strings.TrimSuffix(filepath.Base(file), ".txt")+".json", vectors)
	}
	fmt.Println(total, "vectors")
}

func run(file string, data map[string]string) []Vector {
	content, err := os.ReadFile(file)
	check(err)
	var vectors []Vector
	for n, line := range strings.Split(string(content), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		line = strings.NewReplacer("⏎", "\n", "⇥", "\t").Replace(line)
		if text, ok := strings.CutPrefix(line, "E! "); ok {
			vectors = append(vectors, Vector{Template: text, Error: true, Differs: true})
			continue
		}
		if rest, ok := strings.CutPrefix(line, "="); ok && strings.Contains(rest, "=> ") {
			want, text, _ := strings.Cut(rest, "=> ")
			vectors = append(vectors, Vector{Template: text, Output: &want, Differs: true})
			continue
		}
		shape := ""
		if rest, ok := strings.CutPrefix(line, "~"); ok {
			shape, line, _ = strings.Cut(rest, "~~ ")
		}
		for _, text := range split(line, shape) {
			vectors = append(vectors, vector(fmt.Sprintf("%s:%d", file, n+1), text, shape, data))
		}
	}
	return vectors
}

// dependent tells lines whose actions belong together.
var dependent = regexp.MustCompile(`[$]|\b(if|range|with|define|block|template|end|else)\b|"}}"|-}}|{{-|\x60[^\x60]*}}`)

// split makes a vector of each action where a line holds several that know nothing of each other.
func split(line, shape string) []string {
	if shape != "" || dependent.MatchString(line) {
		return []string{line}
	}
	parts := strings.Split(line, "}} {{")
	for i := range parts {
		if i > 0 {
			parts[i] = "{{" + parts[i]
		}
		if i < len(parts)-1 {
			parts[i] += "}}"
		}
	}
	return parts
}

func vector(place, line, shape string, data map[string]string) Vector {
	output, err := render(line, data)
	if err != nil && os.Getenv("SHOW") != "" {
		fmt.Println(place, err)
	}
	v := Vector{Template: line}
	switch {
	case err != nil:
		v.Error = true
	case shape != "":
		if !regexp.MustCompile(shape).MatchString(output) {
			panic(fmt.Sprintf("%s: %q does not match %s", place, output, shape))
		}
		v.Shape = &shape
	case utf8.ValidString(output):
		v.Output = &output
	default:
		b64 := base64.StdEncoding.EncodeToString([]byte(output))
		v.Base64 = &b64
	}
	return v
}

func render(text string, data map[string]string) (string, error) {
	funcs := sprig.TxtFuncMap()
	for _, refused := range []string{"env", "expandenv", "getHostByName"} {
		delete(funcs, refused)
	}
	for name, function := range own {
		funcs[name] = function
	}
	t, err := template.New("t").Option("missingkey=error").Funcs(funcs).Parse(text)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	err = t.Execute(&out, data)
	return out.String(), err
}

func encoded(data map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range data {
		out[k] = base64.StdEncoding.EncodeToString([]byte(v))
	}
	return out
}

func write(path string, value any) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	check(encoder.Encode(value))
	check(os.WriteFile(path, out.Bytes(), 0o644))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// Asks the original library what paths mean: `go run make.go > ../vectors.json`, in a module that has
// github.com/tidwall/gjson v1.20.1. Left out is what we do otherwise: `n.@fromstr`, where a number is printed anew, and constants
// that are no JSON (`!5.a`, `!nan`).
package main

import (
	"encoding/json"
	"os"

	"github.com/tidwall/gjson"
)

var documents = []string{
	`{"@keys":"own","a":{"b":{"c":1.50,"d":null,"e":"x\ny"},"b.c":true,"user":"u","username":"n"},"empty":{},"l":[{"id":"one","n":1,"t":true},{"id":"two","n":2,"t":false},{"id":"three","n":10}],"ls":[],"name":"Tom","nested":[[1,2],[3,[4,5]],[]],"s":["red","green","grey"],"users":{"first":"A","last":"B"}}`,
	`{"l":[{"id":"one","tags":["x","y"],"v":"{\"k\":1}"},{"id":"o*e","tags":[],"v":""},{"id":"\"q\"","tags":["z"],"v":null}],"m":{"k":[1,2,3],"v":["a","b"]},"n":-1.5e3,"o":{"z":{"y":{"x":"deep"}}},"t":false,"text":"{\"a\":[1,{\"b\":2}]}","w":"1"}`,
}

var paths = []string{
	"a", "a.b", "a.b.c", "a.b.d", "a.b.e", `a.b\.c`, "a.nope", "a.b.c.d", "name.x", "nope", "a.", ".a", "a..b", "empty", "ls", "n", "t", "o.z.y.x", "o.x",
	"l.0", "l.0.id", "l.1.t", "l.9", "l.-1", "l.x", "l.01", "l.#", "ls.#", "s.#", "a.#", "l.#.id", "l.#.nope", "l.#.n", "l.#.tags.0", "l.#.tags.#", "l.#.tags", "nested.0.1", "nested.1.1.0", "nested.#.0", "nested.#.#", "nested.#.#.0",
	"us*", "user?", "u*.first", "a.user*", "a.*", "*.b", "a.?.c", "*", "?", "na?e", "*.last", "*.*.c", `us\*`, `us\*ers`, "a.user?ame", "l*", "l*.1.id", "*s.0",
	`l.#(id=="two")`, `l.#(id=="two").n`, `l.#(id="two").n`, `l.#(id=="nope").n`, `l.#(n>1)`, `l.#(n>1)#`, `l.#(n>1)#.id`, `l.#(n>=2)#.id`, `l.#(n<2)#.id`, `l.#(n<=2)#.id`, `l.#(n!=2)#.id`, `l.#(id!="two")#.id`, `l.#(id%"t*")#.id`, `l.#(id!%"t*")#.id`, `l.#(id%"o?e").id`, `l.#(t)#.id`, `l.#(t=true)#.id`, `l.#(t==false)#.id`, `l.#(t=~true)#.id`, `l.#(t=~false)#.id`, `l.#(t=~null)#.id`, `l.#(t=~*)#.id`, `l.#(t!=~*)#.id`, `l.#(id)#`, `l.#(nope)#`, `l.#(nope)`, `l.#(nope)#.id`, `l.#(tags.#(=="z")).id`, `l.#(tags.#(=="z"))#.id`, `l.#(tags.#>0)#.id`, `l.#(id=="\"q\"").tags`, `l.#( id == "two" ).n`, `l.#[id=="two"].n`, `l.#(id%"o\*e").tags`, `l.#(id<"p")#.id`, `l.#(id>="o")#.id`,
	`s.#(=="red")`, `s.#(%"gr*")#`, `s.#(!="red")#`, `s.#(%"*e*")#`, `s.#(>"red")#`, `nested.#(0=3)`, `nested.#(#>1)#`, `nested.0.#(>1)`, `nested.0.#(>0)#`, `m.k.#(>1)#`, `m.k.#(=2)`, `m.v.#(=="b")`,
	`l.#(n>1)#|0`, `l.#(n>1)#|#`, `l.#(n>1)#.id|0`, `l.#(n>1)|id`, `l.#.id|0`, `l.#.id|#`, `l.#.n|@reverse`, `l|#`, `l|0|id`, `a|b|c`, `a|b.c`, `a.b|c`, `nope|@this`, `nope|@keys`, `nope|[a,b]`, `nope|!1`, `a|nope|@values`, `l.#|@this`,
	"@this", "a.@this", "@this.a.user", "@this|a|user", "@keys", "a.@keys", "users.@keys", "users|@values", "s.@values", "name.@values", "name.@keys", "s.@keys", "@reverse", "s.@reverse", "users.@reverse", "name.@reverse", "nested.@flatten", `nested|@flatten:{"deep":true}`, "s.@flatten", "users.@flatten", "l.@join", `l.@join:{"preserve":true}`, "users.@join", "users.@tostr", "name.@tostr", "text.@fromstr", "text.@fromstr.a.1.b", "name.@fromstr", "m.@group", "users.@group", "s.@group", "@valid", "a.@valid.user", "a.@ugly", "users.@pretty", "l.@pretty", "m.@pretty", "@pretty", `users.@pretty:{"indent":"\t","prefix":" "}`, `users.@pretty:{"sortKeys":true}`, `m.@pretty:{"width":10}`, "nested.@pretty", "ls.@pretty", "empty.@pretty", "name.@pretty", "s.@pretty", "@nope", "a.@nope", "@dig:id", "@dig:x", "@dig:#", "l.@dig:tags", "@dig:nope",
	"[name,users]", "[name,users.last]", "[users.first,nope,name]", "{name,users}", "{name,users.last}", `{"n":name,users.last}`, "{n:name,l:users.last}", "{users.first,nope}", "users.{first,last}", "users.[first,last]", "users|{first}", "{users.{first},name}", "[[name],users.[last]]", "l.#.{id,n}", "l.#.[id,n]", "l.#.{id,n}|0", "l.#.{id,n}|0.id", `l.#(n>1)#.{id,"m":n}`, "[name,users].0", "[name,users]|1.last", "{name}|name", "{l.#}", "{l.#.id}", `{a.b\.c}`, "[l.#(id==\"two\").n,name]", "{s.@reverse}", `{"r":s.@reverse}`, "{s.@flatten:{\"deep\":true}}", "[a.b.c,!5,!\"x\"]", "{\"v\":!\"x,y\",name}", "{}", "[]", "[", "{", "[name", "{name", "[name]x", "{name}x",
	"!true", "!null", `!"text"`, "!5", "!-1.5", `!{"a":1}|a`, `![1,2].1`, "!nope", "!", "a.!true", "@", "#", "", "..", "..0", "..0.name", "..#", "..#.name", "..1", `..#(name=="Tom").name`, "a#", "l.a#", "l.#(", "l.#()", "l.#()#",
}

func main() {
	type entry struct {
		Path    string    `json:"path"`
		Answers []*string `json:"answers"`
	}
	var cases []entry
	for _, path := range paths {
		one := entry{Path: path}
		for _, document := range documents {
			found := gjson.Get(document, path)
			if !found.Exists() {
				one.Answers = append(one.Answers, nil)
				continue
			}
			raw := found.Raw
			one.Answers = append(one.Answers, &raw)
		}
		cases = append(cases, one)
	}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	out.SetIndent("", " ")
	if err := out.Encode(map[string]any{"documents": documents, "cases": cases}); err != nil {
		panic(err)
	}
}

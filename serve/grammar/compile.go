package grammar

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const (
	maxSchema = 64 << 10 // bytes
	maxCached = 64       // grammars of one vocabulary
)

// Tool is a function that may be called; no Parameters means any arguments.
type Tool struct {
	Name       string
	Parameters []byte
}

// Schema compiles a JSON schema. Errors wrap ErrSchema and name what is wrong or not supported.
func (v *Vocab) Schema(schema []byte) (*Grammar, error) {
	return v.compile("schema\x00"+string(schema), func(b *builder) *node { return b.document(schema) })
}

// Object is any JSON object.
func (v *Vocab) Object() (*Grammar, error) {
	return v.compile("object", func(b *builder) *node { return b.mapping(b.any()) })
}

// Calls is one call of one of the tools, {"name":"NAME","arguments":{…}}.
func (v *Vocab) Calls(tools []Tool) (*Grammar, error) {
	return v.compile(callsKey("calls", tools), func(b *builder) *node { return b.calls(tools) })
}

func callsKey(kind string, tools []Tool) string {
	for _, t := range tools {
		kind += "\x00" + t.Name + "\x00" + string(t.Parameters)
	}
	return kind
}

func (b *builder) calls(tools []Tool) *node {
	var alts []*node
	for _, t := range tools {
		arguments := b.mapping(b.any())
		if len(t.Parameters) > 0 {
			arguments = b.document(t.Parameters)
		}
		if b.err != nil {
			b.err = fmt.Errorf("tool %s: %w", t.Name, b.err)
			break
		}
		alts = append(alts, b.seq(b.lit(`{"name":`+quote(t.Name)+`,"arguments":`), arguments, b.lit("}")))
	}
	return b.alt(alts...)
}

// document is the texts that fit a schema with its own $refs.
func (b *builder) document(schema []byte) *node {
	if len(schema) > maxSchema {
		b.fail("want at most %d bytes, found %d", maxSchema, len(schema))
		return b.empty()
	}
	root, err := parseJSON(schema)
	if err == nil {
		err = check(schema)
	}
	if err != nil {
		b.err = err
		return b.empty()
	}
	b.named = map[string]*node{}
	return b.schema(root, root)
}

// noLoader loads nothing: a schema is the request's alone.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("$ref outside of the schema: %s", url)
}

// check holds a schema to the rules of JSON schema itself.
func check(schema []byte) error {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSchema, err)
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	if err = c.AddResource("schema.json", doc); err == nil {
		_, err = c.Compile("schema.json")
	}
	if err != nil {
		text := err.Error()
		return fmt.Errorf("%w: %s", ErrSchema, text[:min(len(text), 500)])
	}
	return nil
}

// compile builds a grammar, or finds it in the cache.
func (v *Vocab) compile(key string, build func(*builder) *node) (*Grammar, error) {
	sum := sha256.Sum256([]byte(key))
	key = string(sum[:])
	v.mu.Lock()
	defer v.mu.Unlock()
	if g := v.cache[key]; g != nil {
		return g, nil
	}
	b := &builder{v: v}
	root := build(b)
	if b.err != nil {
		return nil, b.err
	}
	b.weigh()
	if root.least >= never {
		return nil, fmt.Errorf("%w: no text fits it (it contradicts itself, never ends, or the vocabulary cannot write it)", ErrSchema)
	}
	g := &Grammar{v: v, root: root, least: root.least}
	class, count := byteClasses(b.nodes)
	g.a.class, g.a.count = &class, count
	g.a.reset()
	v.cache[key] = g
	if v.order = append(v.order, key); len(v.order) > maxCached {
		delete(v.cache, v.order[0])
		v.order = slices.Delete(v.order, 0, 1)
	}
	return g, nil
}

package grammar_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/serve/grammar"
	"github.com/seed2fbf7788/switchyard/tokenizer"
)

func vocab(t testing.TB) (*grammar.Vocab, *tokenizer.Tokenizer) {
	tok, err := tokenizer.Open("../../model/builtin")
	require.NoError(t, err)
	return grammar.NewVocab(tok, tok.VocabSize()), tok
}

// schemas that are supported, with every keyword.
func schemas() []string {
	return []string{
		`{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"}},"required":["name","age"],"additionalProperties":false}`,
		`{"type":"object","properties":{"a":{"type":"boolean"},"b":{"type":"null"},"c":{"enum":["x\"y",1,null,{"k":[1,2]}]}},"required":["b"]}`,
		`{"type":"array","items":{"type":"number"},"minItems":2,"maxItems":4}`,
		`{"type":"array","prefixItems":[{"type":"string"},{"const":7}],"items":{"type":"boolean"},"minItems":3,"maxItems":5}`,
		`{"type":"array","prefixItems":[{"type":"string"}],"items":false}`,
		`{"type":"string","minLength":3,"maxLength":5}`,
		`{"type":"string","pattern":"^[A-Z]{2}-\\d{3,5}(x|yz)?$"}`,
		`{"type":"string","pattern":"é+|\"\\\\[^a-z]"}`,
		`{"type":"string","format":"date-time"}`, `{"type":"string","format":"uuid"}`, `{"type":"string","format":"ipv4"}`,
		`{"type":"string","format":"email"}`, `{"type":"string","format":"date"}`, `{"type":"string","format":"time"}`, `{"type":"string","format":"hostname"}`,
		`{"type":"integer","minimum":-37,"maximum":1204}`, `{"type":"integer","exclusiveMinimum":99,"exclusiveMaximum":101}`,
		`{"type":"integer","minimum":8}`, `{"type":"integer","maximum":-8}`, `{"type":"number","minimum":0,"maximum":1}`,
		`{"type":"number","exclusiveMinimum":0,"maximum":3}`, `{"type":"number","minimum":-2.5,"exclusiveMaximum":-0.5}`,
		`{"type":"number","minimum":0.2,"maximum":0.8}`, `{"type":["string","null","integer"]}`, `{}`, `{"type":"object"}`,
		`{"type":"object","additionalProperties":{"type":"integer"}}`, `{"properties":{"x":{}},"required":["x","y"]}`,
		`{"anyOf":[{"type":"integer"},{"type":"object","properties":{"z":{"type":"string"}},"required":["z"]}]}`,
		`{"oneOf":[{"type":"object","properties":{"t":{"const":"a"}},"required":["t"]},{"type":"object","properties":{"t":{"const":"b"},"n":{"type":"integer"}},"required":["t","n"]}]}`,
		`{"allOf":[{"type":"boolean"}]}`,
		`{"$defs":{"node":{"type":"object","properties":{"v":{"type":"integer"},"next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}},"required":["v","next"],"additionalProperties":false}},"$ref":"#/$defs/node"}`,
		`{"type":"object","properties":{"kids":{"type":"array","items":{"$ref":"#"}}},"required":["kids"]}`,
		`{"enum":["a","b",3],"type":"string"}`, `{"const":{"b":1,"a":[true,null]}}`,
		`{"type":"object","properties":{"ключ":{"type":"string","maxLength":2},"<&>":{"const":"<&>"}},"required":["ключ","<&>"]}`,
	}
}

// write generates a text under a constraint by a draw that wants anything but to end it.
func write(t testing.TB, c *grammar.Constraint, tok *tokenizer.Tokenizer, rng *rand.Rand, limit int) string {
	end := []int32{0}
	var ids []int32
	for len(ids) < limit && !c.Done() {
		bits := c.Mask(limit-len(ids), end)
		var allowed []int32
		for id := range int32(tok.VocabSize()) {
			if bits[id/64]>>(id%64)&1 == 1 {
				allowed = append(allowed, id)
			}
		}
		require.NotEmpty(t, allowed)
		id := allowed[rng.IntN(len(allowed))]
		if id == 0 {
			break
		}
		c.Accept(id)
		ids = append(ids, id)
	}
	text, err := tok.Decode(ids, true)
	require.NoError(t, err)
	return text
}

func validator(t testing.TB, schema string) *jsonschema.Schema {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	require.NoError(t, c.AddResource("s.json", doc))
	s, err := c.Compile("s.json")
	require.NoError(t, err)
	return s
}

// Whatever is drawn, and wherever the limit cuts, the text parses and fits.
func TestEveryTextFits(t *testing.T) {
	v, tok := vocab(t)
	rng := rand.New(rand.NewPCG(3, 4))
	for _, schema := range schemas() {
		g, err := v.Schema([]byte(schema))
		require.NoError(t, err, schema)
		s := validator(t, schema)
		distinct := map[string]bool{}
		for range 12 {
			for _, limit := range []int{g.Least(), g.Least() + 1, g.Least() + 1 + rng.IntN(30), 120} {
				text := write(t, g.New(), tok, rng, limit)
				distinct[text] = true
				doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
				require.NoError(t, err, "%s: limit %d: %s", schema, limit, text)
				require.NoError(t, s.Validate(doc), "%s: limit %d: %s", schema, limit, text)
			}
		}
		if !strings.Contains(schema, "101}") && !strings.Contains(schema, `{"const"`) && !strings.HasPrefix(schema, `{"allOf`) {
			assert.Greater(t, len(distinct), 1, schema)
		}
	}
}

func TestObjectAndCalls(t *testing.T) {
	v, tok := vocab(t)
	rng := rand.New(rand.NewPCG(5, 6))
	object, err := v.Object()
	require.NoError(t, err)
	calls, err := v.Calls([]grammar.Tool{{Name: "go", Parameters: []byte(schemas()[0])}, {Name: "stop"}})
	require.NoError(t, err)
	for i := range 40 {
		var o map[string]any
		require.NoError(t, json.Unmarshal([]byte(write(t, object.New(), tok, rng, 2+i)), &o))
		var call struct {
			Name      string
			Arguments map[string]any
		}
		text := write(t, calls.New(), tok, rng, calls.Least()+i)
		require.NoError(t, json.Unmarshal([]byte(text), &call), text)
		assert.Contains(t, []string{"go", "stop"}, call.Name)
	}
	same, err := v.Object()
	require.NoError(t, err)
	assert.Same(t, object, same)
}

// texts that must be allowed byte by byte: the grammar is not narrower than it says.
func TestTextsThatAreAllowed(t *testing.T) {
	v, _ := vocab(t)
	for schema, texts := range map[string][]string{
		schemas()[0]: {`{"name":"x","age":0}`, `{"name": "\u00e9é\n", "age": -12}`},
		`{}`:         {`[1, {"a":[]}, "x", -0.5e+10]`, `{"a":{},"b":[null,true]}`, `""`, `"😀"`},
		`{"type":"integer","minimum":-37,"maximum":1204}`: {"-37", "-1", "0", "9", "10", "999", "1000", "1199", "1204"},
		`{"type":"number","minimum":0,"maximum":1}`:       {"0", "1", "0.5", "0.000001"},
		`{"type":"string","pattern":"a.c"}`:               {`"abc"`, `"xxaécyy"`, `"a\"c"`},
	} {
		g, err := v.Schema([]byte(schema))
		require.NoError(t, err)
		for _, text := range texts {
			assert.True(t, g.Fits(text), "%s: %s", schema, text)
		}
	}
	g, err := v.Schema([]byte(`{"type":"integer","minimum":-37,"maximum":1204}`))
	require.NoError(t, err)
	for n := -1500; n < 1500; n++ {
		assert.Equal(t, n >= -37 && n <= 1204, g.Fits(fmt.Sprint(n)), n)
	}
	assert.False(t, g.Fits("01"))
	assert.False(t, g.Fits("-0"))
}

// What is not supported, contradictory, endless or huge is refused with a reason.
func TestRefusedSchemas(t *testing.T) {
	v, _ := vocab(t)
	deep := strings.Repeat(`{"type":"array","items":`, 100) + `{}` + strings.Repeat("}", 100)
	enum, err := json.Marshal(make([]int, 5000))
	require.NoError(t, err)
	for schema, want := range map[string]string{
		`{`: "", `[]`: "", `false`: "false", `{"type":"strange"}`: "", `{"type":"object","patternProperties":{}}`: "patternProperties",
		`{"not":{}}`: "not", `{"type":"array","uniqueItems":true}`: "uniqueItems", `{"type":"string","pattern":"(?=x)"}`: "pattern",
		`{"type":"string","format":"zip"}`: "format", `{"$ref":"http://example.com/x"}`: "", `{"$ref":"#/nothing"}`: "",
		`{"$ref":"#"}`: "no text fits", `{"type":"object","properties":{"x":{"$ref":"#"}},"required":["x"]}`: "no text fits",
		`{"type":"integer","minimum":3,"maximum":2}`: "no number", `{"type":"string","minLength":5,"maxLength":2}`: "more than",
		`{"oneOf":[{"type":"integer"},{"type":"number"}]}`: "oneOf", `{"allOf":[{},{}]}`: "allOf", `{"type":"number","multipleOf":0.1}`: "multipleOf",
		`{"type":"object","required":["a"],"additionalProperties":false}`: "required", `{"enum":["a"],"type":"integer"}`: "no value",
		`{"type":"array","items":false,"minItems":1}`: "minItems", `{"type":"string","minLength":1e9}`: "minLength", deep: "nests",
		`{"enum":` + string(enum) + `}`: "enum", `{"title":"` + strings.Repeat("x", 1<<17) + `"}`: "at most", `{"if":{},"then":{}}`: "if",
		`{"type":"string","pattern":"` + strings.Repeat("a", 2000) + `"}`: "pattern",
	} {
		_, err := v.Schema([]byte(schema))
		require.ErrorIs(t, err, grammar.ErrSchema, schema[:min(len(schema), 100)])
		assert.ErrorContains(t, err, want)
	}
}

func FuzzSchema(f *testing.F) {
	for _, s := range schemas() {
		f.Add([]byte(s))
	}
	v, tok := vocab(f)
	f.Fuzz(func(t *testing.T, schema []byte) {
		g, err := v.Schema(schema)
		if err != nil || g.Least() > 200 {
			return
		}
		text := write(t, g.New(), tok, rand.New(rand.NewPCG(1, 1)), g.Least()+3)
		if !json.Valid([]byte(text)) {
			t.Fatalf("%s: %s", schema, text)
		}
	})
}

// A first mask walks the vocabulary; later ones of the same state are copied.
func BenchmarkMask(b *testing.B) {
	v, _ := vocab(b)
	bench(b, v)
}

// With SWITCHYARD_VOCAB=DIR the vocabulary of that folder.
func BenchmarkMaskOf(b *testing.B) {
	dir := os.Getenv("SWITCHYARD_VOCAB")
	if dir == "" {
		b.Skip("SWITCHYARD_VOCAB is not set")
	}
	tok, err := tokenizer.Open(dir)
	require.NoError(b, err)
	bench(b, grammar.NewVocab(tok, tok.VocabSize()))
}

func bench(b *testing.B, v *grammar.Vocab) {
	schema := []byte(schemas()[0])
	b.Run("compile", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			s := bytes.Replace(schema, []byte("age"), fmt.Appendf(nil, "a%d", i), 2)
			_, err := v.Schema(s)
			require.NoError(b, err)
		}
	})
	b.Run("first", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			b.StopTimer()
			g, err := v.Schema(bytes.Replace(schema, []byte("age"), fmt.Appendf(nil, "b%d", i), 2))
			require.NoError(b, err)
			c := g.New()
			c.Write(`{"name":"abc`)
			b.StartTimer()
			c.Mask(1000, nil)
		}
	})
	b.Run("each length", func(b *testing.B) { // of a string that was never met, a token a time
		for i := 0; b.Loop(); i++ {
			b.StopTimer()
			g, err := v.Schema(fmt.Appendf(nil, `{"type":"string","minLength":%d,"maxLength":500}`, 100+i%300))
			require.NoError(b, err)
			c := g.New()
			c.Write(`"`)
			b.StartTimer()
			for range 64 {
				c.Mask(1000, nil)
				c.Write("a")
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(64*(i+1)), "ns/token")
		}
	})
	b.Run("list", func(b *testing.B) { // of short strings: bounds are never far
		for i := 0; b.Loop(); i++ {
			b.StopTimer()
			g, err := v.Schema(fmt.Appendf(nil, `{"type":"object","properties":{"a%d":{"type":"array","items":{"type":"string","minLength":2,"maxLength":40},"minItems":3}},"required":["a%d"],"additionalProperties":false}`, i, i))
			require.NoError(b, err)
			c := g.New()
			c.Write(fmt.Sprintf(`{"a%d":["`, i))
			b.StartTimer()
			for k := range 64 {
				c.Mask(1000, nil)
				if c.Write("a"); k%32 == 31 {
					c.Write(`","`)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(64*(i+1)), "ns/token")
		}
	})
	b.Run("later", func(b *testing.B) {
		g, err := v.Schema(schema)
		require.NoError(b, err)
		c := g.New()
		c.Write(`{"name":"abc`)
		for b.Loop() {
			c.Mask(1000, nil)
		}
	})
}

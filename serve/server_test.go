package serve_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/builtin"
	"github.com/seed2fbf7788/switchyard/serve"
	"github.com/seed2fbf7788/switchyard/serve/engine"
)

const name = builtin.Name

func openBuiltin() (*model.Model, error) { return model.OpenFS(builtin.FS(), model.Options{}) }

// client talks to a server of a test.
type client struct {
	t   testing.TB
	url string
	srv *serve.Server
}

func start(t testing.TB, o serve.Options) *client {
	if o.Models == nil {
		o.Models = []serve.Source{{Name: name, Open: openBuiltin}}
	}
	srv, err := serve.New(o)
	require.NoError(t, err)
	hs := httptest.NewServer(srv.Handler())
	t.Cleanup(func() { hs.CloseClientConnections(); hs.Close(); srv.Close() })
	c := &client{t, hs.URL, srv}
	require.Eventually(t, func() bool { return o.Lazy || c.status("GET", "/health", "") == 200 }, 10*time.Second, 5*time.Millisecond)
	return c
}

func (c *client) do(method, path, body string, header ...string) *http.Response {
	req, err := http.NewRequest(method, c.url+path, strings.NewReader(body))
	require.NoError(c.t, err)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(c.t, err)
	return resp
}

func (c *client) status(method, path, body string, header ...string) int {
	resp := c.do(method, path, body, header...)
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// post sends a body and decodes the answer.
func (c *client) post(path, body string) map[string]any {
	resp := c.do("POST", path, body)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(c.t, err)
	require.Equal(c.t, 200, resp.StatusCode, "%s", data)
	var out map[string]any
	require.NoError(c.t, json.Unmarshal(data, &out))
	return out
}

// refused sends a body and returns the error of the answer.
func (c *client) refused(status int, path, body string) map[string]any {
	resp := c.do("POST", path, body)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(c.t, err)
	require.Equal(c.t, status, resp.StatusCode, "%s: %s", clip(body), data)
	var out struct{ Error map[string]any }
	require.NoError(c.t, json.Unmarshal(data, &out), "%s", data)
	for _, key := range []string{"message", "type", "param", "code"} {
		require.Contains(c.t, out.Error, key)
	}
	return out.Error
}

func clip(s string) string { return s[:min(len(s), 200)] }

// events reads a stream to its end; the last must be [DONE].
func (c *client) events(path, body string) []map[string]any {
	resp := c.do("POST", path, body)
	defer resp.Body.Close()
	require.Equal(c.t, 200, resp.StatusCode)
	require.Contains(c.t, resp.Header.Get("Content-Type"), "text/event-stream")
	var out []map[string]any
	done := false
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<22)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		require.False(c.t, done, "behind [DONE]: %s", data)
		if done = data == "[DONE]"; done {
			continue
		}
		var v map[string]any
		require.NoError(c.t, json.Unmarshal([]byte(data), &v))
		out = append(out, v)
	}
	require.True(c.t, done, "no [DONE]")
	return out
}

// at walks down a JSON value: names and indices.
func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

func chatBody(extra string) string {
	return fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":"And it came to pass"}],"max_tokens":20%s}`, name, extra)
}

func textBody(extra string) string {
	return fmt.Sprintf(`{"model":%q,"prompt":"And it came to pass","max_tokens":20,"temperature":0%s}`, name, extra)
}

func TestChat(t *testing.T) {
	c := start(t, serve.Options{})
	a := c.post("/v1/chat/completions", chatBody(`,"temperature":0,"logprobs":true,"top_logprobs":3`))
	assert.Equal(t, "chat.completion", a["object"])
	assert.Equal(t, "assistant", at(a, "choices", 0, "message", "role"))
	text := at(a, "choices", 0, "message", "content").(string)
	assert.NotEmpty(t, text)
	joined := ""
	for _, l := range at(a, "choices", 0, "logprobs", "content").([]any) {
		joined += at(l, "token").(string)
		assert.Len(t, at(l, "top_logprobs"), 3)
		assert.LessOrEqual(t, at(l, "logprob").(float64), 0.0)
	}
	assert.Equal(t, text, joined)
	assert.EqualValues(t, 20, at(a, "usage", "completion_tokens"))

	// With a seed the choices differ from each other and not from themselves.
	two := c.post("/v1/chat/completions", chatBody(`,"n":2,"seed":7`))
	assert.NotEqual(t, at(two, "choices", 0, "message"), at(two, "choices", 1, "message"))
	again := c.post("/v1/chat/completions", chatBody(`,"n":2,"seed":7`))
	assert.Equal(t, two["choices"], again["choices"])
}

// The library's greedy text is the server's.
func TestSameTextAsLibrary(t *testing.T) {
	c := start(t, serve.Options{})
	m, err := openBuiltin()
	require.NoError(t, err)
	defer m.Close()
	ses := m.NewSession()
	defer ses.Close()
	want := ""
	for tk, err := range ses.Generate(context.Background(), "And it came to pass", model.GenerateOptions{MaxTokens: 20}) {
		require.NoError(t, err)
		want += tk.Text
	}
	assert.Equal(t, want, at(c.post("/v1/completions", textBody("")), "choices", 0, "text"))
}

// The streaming contract: role first, one id, text as in the whole answer, a last chunk of each choice with nothing but the
// reason, usage with no choices, [DONE]; log-probability tokens joined are the text.
func TestStreamingContract(t *testing.T) {
	c := start(t, serve.Options{Ping: time.Millisecond})
	const extra = `,"seed":3,"n":3,"logprobs":true,"stop":["\n"]`
	whole := c.post("/v1/chat/completions", chatBody(extra))
	list := c.events("/v1/chat/completions", chatBody(extra+`,"stream":true,"stream_options":{"include_usage":true}`))
	text, logs, ended := [3]string{}, [3]string{}, [3]bool{}
	for i, e := range list {
		assert.Equal(t, list[0]["id"], e["id"])
		assert.Equal(t, "chat.completion.chunk", e["object"])
		choices := e["choices"].([]any)
		if i == len(list)-1 {
			assert.Empty(t, choices)
			assert.Equal(t, whole["usage"].(map[string]any)["completion_tokens"], at(e, "usage", "completion_tokens"))
			continue
		}
		require.Len(t, choices, 1)
		n := int(at(choices, 0, "index").(float64))
		if i < 3 {
			assert.Equal(t, map[string]any{"role": "assistant", "content": ""}, at(choices, 0, "delta"))
			continue
		}
		require.False(t, ended[n])
		if at(choices, 0, "finish_reason") != nil {
			assert.Empty(t, at(choices, 0, "delta"))
			assert.Equal(t, at(whole, "choices", n, "finish_reason"), at(choices, 0, "finish_reason"))
			ended[n] = true
			continue
		}
		text[n] += at(choices, 0, "delta", "content").(string)
		for _, l := range at(choices, 0, "logprobs", "content").([]any) {
			logs[n] += at(l, "token").(string)
		}
	}
	for n := range 3 {
		assert.True(t, ended[n])
		assert.Equal(t, at(whole, "choices", n, "message", "content"), text[n])
		assert.Equal(t, text[n], logs[n])
	}
	for _, e := range c.events("/v1/completions", textBody(`,"stream":true`)) {
		assert.Equal(t, "text_completion", e["object"])
	}
}

func TestCompletionForms(t *testing.T) {
	c := start(t, serve.Options{})
	a := c.post("/v1/completions", fmt.Sprintf(`{"model":%q,"prompt":["a b","c d"],"n":2,"echo":true,"max_tokens":3,"seed":1}`, name))
	require.Len(t, a["choices"], 4)
	for i, want := range []string{"a b", "a b", "c d", "c d"} {
		assert.True(t, strings.HasPrefix(at(a, "choices", i, "text").(string), want))
	}
	ids := c.post("/tokenize", `{"prompt":"And it came to pass"}`)["tokens"]
	data, _ := json.Marshal(ids)
	byIDs := c.post("/v1/completions", fmt.Sprintf(`{"model":%q,"prompt":%s,"max_tokens":20,"temperature":0,"logprobs":2}`, name, data))
	assert.Equal(t, at(c.post("/v1/completions", textBody("")), "choices", 0, "text"), at(byIDs, "choices", 0, "text"))
	assert.Len(t, at(byIDs, "choices", 0, "logprobs", "tokens"), 20)
	back := c.post("/detokenize", fmt.Sprintf(`{"tokens":%s}`, data))
	assert.True(t, strings.HasSuffix(back["prompt"].(string), "And it came to pass"))
}

// Bias decides; penalties change what is drawn.
func TestBiasAndPenalties(t *testing.T) {
	c := start(t, serve.Options{})
	a := c.post("/v1/completions", textBody(`,"logit_bias":{"72":100}`))
	assert.Equal(t, strings.Repeat("h", 20), strings.ReplaceAll(at(a, "choices", 0, "text").(string), "\u0000", ""))
	b := c.post("/v1/completions", textBody(`,"logit_bias":{"72":20},"presence_penalty":2,"frequency_penalty":2`))
	assert.Less(t, strings.Count(at(b, "choices", 0, "text").(string), "h"), 20)
}

func TestRoutingAndGate(t *testing.T) {
	c := start(t, serve.Options{})
	plain := c.post("/v1/completions", textBody(``))
	raw := c.post("/v1/completions", textBody(`,"routing":true`))
	assert.Equal(t, at(plain, "choices", 0, "text"), at(raw, "choices", 0, "text"))
	flat := c.post("/v1/completions", textBody(`,"routing":"json"`))
	shape := at(raw, "choices", 0, "routing", "shape")
	assert.Equal(t, []any{25., 6., 4.}, shape)
	data, err := base64.StdEncoding.DecodeString(at(raw, "choices", 0, "routing", "data").(string))
	require.NoError(t, err)
	ids := at(flat, "choices", 0, "routing", "ids").([]any)
	require.Len(t, data, 4*len(ids))
	for i, id := range ids {
		assert.EqualValues(t, id, data[4*i])
	}
	one := c.post("/v1/completions", textBody(`,"routing":true,"gate":"topk=1"`))
	assert.Equal(t, []any{25., 6., 1.}, at(one, "choices", 0, "routing", "shape"))
	for _, gate := range []string{"topk=99", "foo", "replay=/etc/passwd", "file=/etc/passwd", "layers=99;topk=1", "softmoe", "layers=2;expertchoice=2"} {
		e := c.refused(400, "/v1/completions", textBody(fmt.Sprintf(`,"gate":%q`, gate)))
		assert.Equal(t, "gate", e["param"], gate)
	}
}

// The header, and behind a stream the trailer, counts what the routing lists.
func TestExpertLoadHeader(t *testing.T) {
	c := start(t, serve.Options{})
	assert.Empty(t, c.do("POST", "/v1/completions", textBody(``)).Header.Get("X-Switchyard-Expert-Load"))
	resp := c.do("POST", "/v1/completions", textBody(`,"routing":"json"`))
	var body map[string]any
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&body))
	count := map[int]int{}
	for i, id := range at(body, "choices", 0, "routing", "ids").([]any) {
		if i/4%6 == 5 {
			count[int(id.(float64))]++
		}
	}
	load := resp.Header.Get("X-Switchyard-Expert-Load")
	layers := strings.Split(load, ";")
	require.Len(t, layers, 6)
	last, ok := strings.CutPrefix(layers[5], "5:")
	require.True(t, ok, load)
	shown := strings.Split(last, ",")
	require.Len(t, shown, 4)
	before, least := 1<<30, 0
	for _, s := range shown {
		var id, n int
		_, err := fmt.Sscanf(s, "%d=%d", &id, &n)
		require.NoError(t, err)
		assert.Equal(t, count[id], n, load)
		assert.LessOrEqual(t, n, before)
		before, least = n, n
		delete(count, id)
	}
	for id, n := range count {
		assert.LessOrEqual(t, n, least, "expert %d", id)
	}
	resp = c.do("POST", "/v1/completions", textBody(`,"routing":true,"stream":true`))
	io.Copy(io.Discard, resp.Body)
	assert.Equal(t, load, resp.Trailer.Get("X-Switchyard-Expert-Load"))
}

func TestModels(t *testing.T) {
	c := start(t, serve.Options{Models: []serve.Source{{Name: name, Open: openBuiltin}, {Name: "org/other", Open: openBuiltin}}})
	resp := c.do("GET", "/v1/models", "")
	var list struct{ Data []struct{ ID string } }
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&list))
	resp.Body.Close()
	require.Len(t, list.Data, 2)
	for path, want := range map[string]int{
		"/v1/models/" + name: 200, "/v1/models/org/other": 200, "/v1/models/none": 404, "/v1/models/..%2f..%2fetc": 404,
		"/v1/models/%00": 404, "/health": 200, "/metrics": 200, "/nothing": 404,
	} {
		assert.Equal(t, want, c.status("GET", path, ""), path)
	}
	e := c.refused(404, "/v1/chat/completions", `{"model":"../../etc/passwd","messages":[{"role":"user","content":"x"}]}`)
	assert.Equal(t, "model_not_found", e["code"])
	c.refused(400, "/v1/embeddings", fmt.Sprintf(`{"model":%q,"input":"x"}`, name))
	c.refused(404, "/v1/embeddings", `{"model":"none","input":"x"}`)
}

// encoderFolder is a small encoder with a tokenizer whose words are its ids.
func encoderFolder(t *testing.T) string {
	dir := t.TempDir()
	for _, f := range []string{"config.json", "model.safetensors"} {
		data, err := os.ReadFile("../testdata/encoders/bert/" + f)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, f), data, 0o600))
	}
	tok := `{"version":"1.0","pre_tokenizer":{"type":"Whitespace"},"model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":100,"vocab":{"[UNK]":0,"hello":5,"a":6,"b":7,"c":8,"x":9}}}`
	require.NoError(t, writeFile(filepath.Join(dir, "tokenizer.json"), tok))
	return dir
}

// An encoder gives what the library gives, as numbers and as base64, and generates nothing.
func TestEmbeddings(t *testing.T) {
	dir := encoderFolder(t)
	e, err := model.OpenEncoder(dir, model.Options{})
	require.NoError(t, err)
	want, err := e.Embed(context.Background(), []string{"hello", "a b c"})
	require.NoError(t, err)
	e.Close()
	c := start(t, serve.Options{Models: []serve.Source{{Name: "enc", Encoder: func() (*model.Encoder, error) { return model.OpenEncoder(dir, model.Options{}) }}}})
	a := c.post("/v1/embeddings", `{"model":"enc","input":["hello","a b c"]}`)
	b := c.post("/v1/embeddings", `{"model":"enc","input":["hello","a b c"],"encoding_format":"base64"}`)
	var ids [][]int32
	for _, text := range []string{"hello", "a b c"} {
		list, err := e.EncodeText(text)
		require.NoError(t, err)
		ids = append(ids, list)
	}
	list, _ := json.Marshal(ids)
	assert.Equal(t, at(a, "data"), at(c.post("/v1/embeddings", fmt.Sprintf(`{"model":"enc","input":%s}`, list)), "data"))
	list, _ = json.Marshal(ids[1])
	assert.Equal(t, at(a, "data", 1, "embedding"), at(c.post("/v1/embeddings", fmt.Sprintf(`{"model":"enc","input":%s}`, list)), "data", 0, "embedding"))
	for _, bad := range []string{`[]`, `[[]]`, `""`, `["a",""]`, `[99999999]`, `[-1]`, `[1.5]`, `{}`, `[[1],"a"]`} {
		assert.Equal(t, "input", c.refused(400, "/v1/embeddings", fmt.Sprintf(`{"model":"enc","input":%s}`, bad))["param"], bad)
	}
	for i := range want {
		raw, err := base64.StdEncoding.DecodeString(at(b, "data", i, "embedding").(string))
		require.NoError(t, err)
		for j, x := range want[i] {
			require.Equal(t, x, float32(at(a, "data", i, "embedding", j).(float64)))
			require.Equal(t, math.Float32bits(x), binary.LittleEndian.Uint32(raw[4*j:]))
		}
	}
	assert.NotZero(t, at(a, "usage", "prompt_tokens"))
	e1 := c.refused(400, "/v1/chat/completions", `{"model":"enc","messages":[{"role":"user","content":"x"}]}`)
	assert.Equal(t, "unsupported_model", e1["code"])
	for _, body := range []string{`{"model":"enc"}`, `{"model":"enc","input":[]}`, `{"model":"enc","input":"x","dimensions":1}`, `{"model":"enc","input":""}`} {
		c.refused(400, "/v1/embeddings", body)
	}
}

// While a model loads, health and requests say so; a model that cannot be opened fails alone.
func TestLoading(t *testing.T) {
	gate := make(chan struct{})
	srv, err := serve.New(serve.Options{Models: []serve.Source{{Name: name, Open: func() (*model.Model, error) { <-gate; return openBuiltin() }}}})
	require.NoError(t, err)
	hs := httptest.NewServer(srv.Handler())
	defer func() { hs.Close(); srv.Close() }()
	c := &client{t, hs.URL, srv}
	assert.Equal(t, 503, c.status("GET", "/health", ""))
	resp := c.do("POST", "/v1/chat/completions", chatBody(""))
	resp.Body.Close()
	assert.Equal(t, 503, resp.StatusCode)
	assert.NotEmpty(t, resp.Header.Get("Retry-After"))
	close(gate)
	require.Eventually(t, func() bool { return c.status("GET", "/health", "") == 200 }, 5*time.Second, time.Millisecond)

	broken := serve.Source{Name: "broken", Open: func() (*model.Model, error) { return model.Open(t.TempDir(), model.Options{}) }}
	d := start(t, serve.Options{Lazy: true, Models: []serve.Source{broken, {Name: name, Open: openBuiltin}}})
	e := d.refused(503, "/v1/completions", `{"model":"broken","prompt":"x"}`)
	assert.Equal(t, "model_failed", e["code"])
	d.post("/v1/completions", textBody(""))
}

// Wrong values get 400 with the name of the parameter, and no more than that happens.
func TestBadParameters(t *testing.T) {
	c := start(t, serve.Options{})
	for param, extra := range map[string]string{
		"temperature": `"temperature":-1`, "top_p": `"top_p":2`, "n": `"n":0`, "max_tokens": `"max_tokens":-5`, "stop": `"stop":[""]`,
		"seed": `"seed":"x"`, "logit_bias": `"logit_bias":{"x":1}`, "top_logprobs": `"top_logprobs":3`, "foo": `"foo":1`,
		"stream_options": `"stream_options":{"include_usage":true}`, "frequency_penalty": `"frequency_penalty":9`, "audio": `"audio":{}`,
		"tool_choice": `"tool_choice":"required"`, "tools": `"tools":[{"type":"function","function":{"name":"bad name"}}]`,
		"min_p": `"min_p":-1`, "top_k": `"top_k":1.5`, "presence_penalty": `"presence_penalty":1e999`, "routing": `"routing":3`,
		"max_completion_tokens": `"max_completion_tokens":"many"`, "response_format.type": `"response_format":{"type":3}`,
	} {
		body := fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":"x"}],%s}`, name, extra)
		e := c.refused(400, "/v1/chat/completions", body)
		if param != "presence_penalty" { // no number at all: the body does not parse
			assert.Equal(t, param, e["param"], extra)
		}
	}
	for _, body := range []string{
		``, `{`, `[]`, `null`, `"x"`, `{"model":1}`, `{"temperature":NaN}`, `{"model":"` + name + `"}`,
		`{"model":"` + name + `","messages":[]}`, `{"model":"` + name + `","messages":[{"role":"king","content":"x"}]}`,
		`{"model":"` + name + `","messages":[{"role":"user"}]}`, `{"model":"` + name + `","messages":[1]}`,
		`{"model":"` + name + `","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}]}`,
		strings.Repeat("[", 100000),
	} {
		c.refused(400, "/v1/chat/completions", body)
	}
	long := strings.Repeat("word ", 2000)
	e := c.refused(400, "/v1/completions", fmt.Sprintf(`{"model":%q,"prompt":%q}`, name, long))
	assert.Equal(t, "context_length_exceeded", e["code"])
	stops, _ := json.Marshal(bytes.Split(bytes.Repeat([]byte("x,"), 1e6), []byte(",")))
	c.refused(413, "/v1/completions", textBody(`,"stop":`+string(stops)))
	c.refused(400, "/v1/completions", textBody(`,"stop":`+string(stops[:1999999])+`"]`))
	c.refused(413, "/v1/completions", textBody(`,"user":"`+strings.Repeat("x", 100<<20)+`"`))
	c.post("/v1/completions", textBody("")) // and it still answers
}

func TestKeys(t *testing.T) {
	path := t.TempDir() + "/keys"
	require.NoError(t, writeFile(path, "# people\nsk-one\n\nsk-two\n"))
	keys, err := serve.ReadKeys(path)
	require.NoError(t, err)
	require.Len(t, keys, 2)
	c := start(t, serve.Options{Keys: keys})
	assert.Equal(t, 200, c.status("GET", "/v1/models", "", "Authorization", "Bearer sk-two"))
	for _, key := range []string{"", "Bearer", "Bearer sk-on", "Bearer sk-one2", "sk-one", "Basic sk-one"} {
		assert.Equal(t, 401, c.status("GET", "/v1/models", "", "Authorization", key), key)
	}
	e := c.refused(401, "/v1/chat/completions", `{`)
	assert.Equal(t, "authentication_error", e["type"])
	require.NoError(t, writeFile(path, "# nobody\n"))
	_, err = serve.ReadKeys(path)
	assert.ErrorContains(t, err, "found none")
	for addr, want := range map[string]bool{"127.0.0.1:1": true, "[::1]:1": true, "localhost:1": true, ":80": false, "0.0.0.0:1": false, "10.0.0.1:1": false, "[::]:1": false, "x": false} {
		assert.Equal(t, want, serve.Loopback(addr), addr)
	}
}

// A page of another site cannot use the server through its visitor's browser.
func TestOtherOriginsAreRefused(t *testing.T) {
	c := start(t, serve.Options{})
	assert.Equal(t, 403, c.status("POST", "/v1/completions", textBody(""), "Origin", "http://evil.example", "Sec-Fetch-Site", "cross-site"))
	assert.Equal(t, 200, c.status("POST", "/v1/completions", textBody(""), "Origin", c.url, "Sec-Fetch-Site", "same-origin"))
}

// Beyond the queue requests are refused at once; those that were taken are not harmed.
func TestOverload(t *testing.T) {
	c := start(t, serve.Options{Engine: engine.Options{Parallel: 2, MaxQueue: 2}})
	want := at(c.post("/v1/completions", textBody(`,"ignore_eos":true,"max_tokens":60`)), "choices", 0, "text")
	type outcome struct {
		status int
		took   time.Duration
		text   any
	}
	results := make(chan outcome, 40)
	for range 40 {
		go func() {
			begin := time.Now()
			resp, err := http.Post(c.url+"/v1/completions", "application/json", strings.NewReader(textBody(`,"ignore_eos":true,"max_tokens":60`)))
			if err != nil {
				results <- outcome{}
				return
			}
			defer resp.Body.Close()
			var v map[string]any
			json.NewDecoder(resp.Body).Decode(&v)
			results <- outcome{resp.StatusCode, time.Since(begin), at(v, "choices", 0, "text")}
		}()
	}
	taken, refused := 0, 0
	for range 40 {
		r := <-results
		switch r.status {
		case 200:
			taken++
			assert.Equal(t, want, r.text)
		case 503:
			refused++
		default:
			t.Errorf("status %d", r.status)
		}
	}
	assert.GreaterOrEqual(t, taken, 4)
	assert.NotZero(t, refused)
}

// A client that goes away frees its place within a moment, in the queue and at work.
func TestClientGoesAway(t *testing.T) {
	c := start(t, serve.Options{Engine: engine.Options{Parallel: 1}})
	for range 3 {
		ctx, cancel := context.WithCancel(context.Background())
		for range 3 {
			go func() {
				req, _ := http.NewRequestWithContext(ctx, "POST", c.url+"/v1/completions", strings.NewReader(textBody(`,"ignore_eos":true,"max_tokens":480,"stream":true`)))
				if resp, err := http.DefaultClient.Do(req); err == nil {
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
			}()
		}
		require.Eventually(t, func() bool { return c.metric("switchyard_requests_waiting") == 2 }, 5*time.Second, time.Millisecond)
		cancel()
		require.Eventually(t, func() bool {
			return c.metric("switchyard_requests_running")+c.metric("switchyard_requests_waiting") == 0
		}, time.Second, time.Millisecond)
	}
}

// metric reads one value of the model's.
func (c *client) metric(metric string) float64 {
	resp := c.do("GET", "/metrics", "")
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), metric+`{model="`+name+`"} `); ok {
			var v float64
			fmt.Sscan(rest, &v)
			return v
		}
	}
	c.t.Errorf("no metric %s", metric)
	return -1
}

func TestMetrics(t *testing.T) {
	c := start(t, serve.Options{})
	c.post("/v1/completions", textBody(""))
	c.post("/v1/completions", textBody(""))
	assert.EqualValues(t, 40, c.metric("switchyard_generated_tokens_total"))
	assert.EqualValues(t, 12, c.metric("switchyard_prompt_tokens_total"))
	assert.EqualValues(t, 2, c.metric("switchyard_time_to_first_token_seconds_count"))
	assert.EqualValues(t, 38, c.metric("switchyard_inter_token_latency_seconds_count"))
	assert.Zero(t, c.metric("vllm:num_requests_waiting"))
	assert.Zero(t, c.metric("vllm:kv_cache_usage_perc"))
}

// SIGTERM's way: what is at work when the drain ends gets a proper last chunk.
func TestDrain(t *testing.T) {
	for _, limit := range []time.Duration{time.Minute, 30 * time.Millisecond} {
		c := start(t, serve.Options{})
		got := make(chan []map[string]any)
		go func() {
			got <- c.events("/v1/completions", textBody(`,"ignore_eos":true,"max_tokens":480,"stream":true`))
		}()
		require.Eventually(t, func() bool { return c.metric("switchyard_requests_running") == 1 }, 5*time.Second, time.Millisecond)
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		err := c.srv.Drain(ctx)
		cancel()
		list := <-got
		assert.Equal(t, "length", at(list[len(list)-1], "choices", 0, "finish_reason"))
		assert.Equal(t, limit < time.Second, err != nil)
		c.refused(503, "/v1/completions", textBody(""))
		assert.Equal(t, 503, c.status("GET", "/health", ""))
	}
}

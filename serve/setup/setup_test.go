package setup_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/route/ledger"
	"github.com/seed2fbf7788/switchyard/route/price"
	"github.com/seed2fbf7788/switchyard/serve"
	"github.com/seed2fbf7788/switchyard/serve/config"
	"github.com/seed2fbf7788/switchyard/serve/setup"
)

// elsewhere is a model of a test that speaks the OpenAI API. What it does can be changed between requests.
type elsewhere struct {
	*httptest.Server
	calls  atomic.Int64
	bytes  atomic.Int64
	status atomic.Int64 // not 0: it fails with it
	cut    atomic.Bool  // streams break off after two chunks
	last   atomic.Pointer[string]
}

func upstreamOf(t *testing.T) *elsewhere {
	u := &elsewhere{}
	u.Server = httptest.NewServer(http.HandlerFunc(u.serve))
	t.Cleanup(u.Server.Close)
	return u
}

func (u *elsewhere) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	u.calls.Add(1)
	u.bytes.Add(int64(len(body)))
	text := string(body)
	u.last.Store(&text)
	if s := u.status.Load(); s != 0 {
		w.WriteHeader(int(s))
		return
	}
	var q struct{ Stream bool }
	json.Unmarshal(body, &q)
	const head = `"id":"up-1","created":1,"model":"big-1"`
	if !q.Stream {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{%s,"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"from elsewhere"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}}`, head)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for i, part := range []string{"from ", "else", "where"} {
		if i == 2 && u.cut.Load() {
			panic(http.ErrAbortHandler)
		}
		fmt.Fprintf(w, "data: {%s,\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%q},\"finish_reason\":null}]}\n\n", head, part)
		w.(http.Flusher).Flush()
	}
	fmt.Fprintf(w, "data: {%s,\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n", head)
	fmt.Fprintf(w, "data: {%s,\"object\":\"chat.completion.chunk\",\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":3,\"total_tokens\":13}}\n\ndata: [DONE]\n\n", head)
}

const models = `
models:
  plain: {dir: builtin}
  coder: {dir: builtin, gate: topk=3}
upstreams:
  big: {base_url: "%s/v1", model: big-1, price: {input: 2, output: 8}, retries: 0, cooldown_after: 1000}
`

// yard is a server of a configuration.
type yard struct {
	t     *testing.T
	url   string
	up    *elsewhere
	setup *setup.Setup
	host  *serve.Host
	dir   string
}

func open(t *testing.T, text string) *yard {
	y := &yard{t: t, up: upstreamOf(t), setup: setup.New(nil), dir: t.TempDir()}
	t.Cleanup(func() { assert.NoError(t, y.setup.Close()) })
	o, commit := y.options(text)
	var err error
	y.host, err = serve.NewHost(o)
	require.NoError(t, err)
	require.NoError(t, commit())
	hs := httptest.NewServer(y.host.Handler())
	y.url = hs.URL
	t.Cleanup(func() { hs.Close(); assert.NoError(t, y.host.Close()) })
	require.Eventually(t, func() bool {
		resp, err := http.Get(y.url + "/health")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == 200
	}, 10*time.Second, 5*time.Millisecond)
	return y
}

func (y *yard) options(text string) (serve.Options, func() error) {
	c, err := config.Parse(filepath.Join(y.dir, "serve.yaml"), []byte(fmt.Sprintf(models, y.up.URL)+text))
	require.NoError(y.t, err)
	b, err := y.setup.Build(context.Background(), c)
	require.NoError(y.t, err)
	return serve.Options{Models: setup.Sources(context.Background(), c.Models), Mix: b.Mix}, b.Commit
}

func (y *yard) ask(path, body string) (*http.Response, string) {
	resp, err := http.Post(y.url+path, "application/json", strings.NewReader(body))
	require.NoError(y.t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(y.t, err)
	return resp, string(data)
}

func chat(model, text, more string) string {
	content, _ := json.Marshal(text)
	return fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":%s}],"max_tokens":6,"temperature":0%s}`, model, content, more)
}

// decision asks and gives the model, route, reason and text of the answer.
func (y *yard) decision(model, text, more string) (string, string, string, string) {
	resp, data := y.ask("/v1/chat/completions", chat(model, text, more))
	require.Equal(y.t, 200, resp.StatusCode, data)
	h := resp.Header
	require.NotEmpty(y.t, h.Get("X-Switchyard-Confidence"))
	if strings.Contains(more, "stream") {
		require.True(y.t, strings.HasSuffix(data, "data: [DONE]\n\n"), data)
		return h.Get("X-Switchyard-Model"), h.Get("X-Switchyard-Decision"), h.Get("X-Switchyard-Reason"), streamed(y.t, data)
	}
	var a struct {
		Choices []struct{ Message struct{ Content string } }
	}
	require.NoError(y.t, json.Unmarshal([]byte(data), &a))
	require.Len(y.t, a.Choices, 1)
	return h.Get("X-Switchyard-Model"), h.Get("X-Switchyard-Decision"), h.Get("X-Switchyard-Reason"), a.Choices[0].Message.Content
}

// streamed joins the text of a stream.
func streamed(t *testing.T, data string) (text string) {
	for line := range strings.Lines(data) {
		chunk, ok := strings.CutPrefix(strings.TrimSpace(line), "data: {")
		if !ok {
			continue
		}
		var c struct {
			Choices []struct{ Delta struct{ Content string } }
		}
		require.NoError(t, json.Unmarshal([]byte("{"+chunk), &c))
		for _, one := range c.Choices {
			text += one.Delta.Content
		}
	}
	return text
}

const auto = `
routers:
  kinds: {kind: experts}
virtual:
  auto:
    routes:
      - {name: law, when: {keyword: [contract, tax]}, model: big}
      - {name: code, when: {router: kinds, is: code}, model: coder}
      - {name: own, when: {private: true}, model: plain}
    default: plain
    fallback: plain
replay: {file: replay.jsonl}
`

func TestDecisions(t *testing.T) {
	y := open(t, auto)
	for _, more := range []string{"", `,"stream":true`} {
		for text, want := range map[string][3]string{
			"func main() {":                  {"coder", "code", "experts_match"},
			"What does this contract say?":   {"big", "law", "keyword"},
			"hello":                          {"plain", "default", "no_match"},
			"my mail is ann@example.org, ok": {"plain", "own", "private"},
			"the tax of ann@example.org":     {"plain", "law", "private"}, // the route leaves, the guard does not let it
		} {
			model, route, reason, answer := y.decision("auto", text, more)
			require.Equal(t, want, [3]string{model, route, reason}, text)
			if model == "big" {
				require.Equal(t, "from elsewhere", answer)
			} else {
				require.NotEmpty(t, answer)
			}
		}
	}
	require.EqualValues(t, 2, y.up.calls.Load())
	require.NotContains(t, *y.up.last.Load(), "auto", "the upstream is asked for its own model")
	y.told(t)
}

// told checks the list of models, the metrics and the replay log.
func (y *yard) told(t *testing.T) {
	resp, err := http.Get(y.url + "/v1/models")
	require.NoError(t, err)
	defer resp.Body.Close()
	data, _ := io.ReadAll(resp.Body)
	require.Contains(t, string(data), `{"id":"auto","object":"model"`)
	require.NotContains(t, string(data), `"big"`, "an upstream is reached through a virtual model alone")
	metrics, err := http.Get(y.url + "/metrics")
	require.NoError(t, err)
	defer metrics.Body.Close()
	data, _ = io.ReadAll(metrics.Body)
	require.Contains(t, string(data), `switchyard_decisions_total{decision="law",model="big",outcome="escalated",reason="keyword",virtual="auto"} 2`)
	require.Contains(t, string(data), `switchyard_decisions_total{decision="law",model="plain",outcome="local",reason="private",virtual="auto"} 2`)
	require.Contains(t, string(data), `switchyard_decision_seconds_count{virtual="auto"} 10`)
	require.Contains(t, string(data), `switchyard_model_cost_total{model="big"} 8e-05`) // 2 · 10 prompt tokens at 2, 5 tokens at 8, of a million
	log, err := os.ReadFile(filepath.Join(y.dir, "replay.jsonl"))
	require.NoError(t, err)
	require.Equal(t, 10, bytes.Count(log, []byte("\n")))
	for _, word := range []string{"contract", "ann@", "main"} {
		require.NotContains(t, string(log), word, "no text of prompts")
	}
	for line := range strings.Lines(string(log)) {
		var e struct {
			Decision, Model, Reason, Virtual string
			Out                              int64 `json:"completion_tokens"`
		}
		require.NoError(t, json.Unmarshal([]byte(line), &e))
		require.Equal(t, "auto", e.Virtual)
		require.NotZero(t, e.Out, line)
	}
}

// An upstream that breaks off in mid-stream: what came stands, an error follows, and nothing says that it was whole.
func TestUpstreamKilledInMidStream(t *testing.T) {
	y := open(t, auto)
	y.up.cut.Store(true)
	resp, data := y.ask("/v1/chat/completions", chat("auto", "a contract", `,"stream":true`))
	require.Equal(t, 200, resp.StatusCode)
	require.Equal(t, "from else", streamed(t, data))
	require.Contains(t, data, `"code":"broken_stream"`)
	require.NotContains(t, data, "[DONE]")
	log, err := os.ReadFile(filepath.Join(y.dir, "replay.jsonl"))
	require.NoError(t, err)
	require.Contains(t, string(log), `"failed":"broken_stream"`)
}

// A user's own patterns and words stay, or leave without them.
func TestGuard(t *testing.T) {
	const own = "guard: {policy: %s, words: [Falcon], patterns: {ticket: 'T-\\d{6}'}}\n"
	y := open(t, auto+fmt.Sprintf(own, "local_only"))
	for _, text := range []string{"the contract T-123456", "a contract of FALCON", "contract, pay to DE89 3704 0044 0532 0130 00"} {
		model, _, reason, _ := y.decision("auto", text, "")
		require.Equal(t, [2]string{"plain", "private"}, [2]string{model, reason}, text)
	}
	require.Zero(t, y.up.bytes.Load(), "not a byte")
	y = open(t, auto+fmt.Sprintf(own, "redact"))
	model, _, _, _ := y.decision("auto", "the contract T-123456 of Falcon", "")
	require.Equal(t, "big", model)
	require.Contains(t, *y.up.last.Load(), "the contract [TICKET] of [WORD]")
}

func TestUpstreamThatFailsFallsBack(t *testing.T) {
	y := open(t, auto)
	for _, status := range []int64{500, 429, 400} {
		y.up.status.Store(status)
		model, route, reason, _ := y.decision("auto", "a contract", `,"stream":true`)
		require.Equal(t, [3]string{"plain", "law", "upstream_failed"}, [3]string{model, route, reason}, status)
	}
	y.up.Server.Close()
	model, _, reason, _ := y.decision("auto", "a contract", "")
	require.Equal(t, [2]string{"plain", "upstream_failed"}, [2]string{model, reason})
}

// Twenty per cent is never exceeded by more than one request, however many ask at once.
func TestBudgetUnderConcurrency(t *testing.T) {
	y := open(t, "budget: {share: 0.2}\nvirtual: {auto: {default: big, fallback: plain}}\n")
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 5 {
				y.decision("auto", "hi", "")
			}
		})
	}
	wg.Wait()
	require.LessOrEqual(t, y.up.calls.Load(), int64(17))
	require.GreaterOrEqual(t, y.up.calls.Load(), int64(8))
}

func TestCascade(t *testing.T) {
	y := open(t, `
virtual:
  unsure: {routes: [{name: first, model: plain, cascade: {to: big, below: 0}}], default: plain, fallback: plain}
  sure: {routes: [{name: first, model: plain, cascade: {to: big, below: -99, first: 2}}], default: plain, fallback: plain}
`)
	_, want := y.ask("/v1/chat/completions", chat("plain", "And it came to pass", `,"stream":true`))
	for _, more := range []string{"", `,"stream":true`} {
		model, _, reason, text := y.decision("unsure", "And it came to pass", more)
		require.Equal(t, [3]string{"big", "cascade_unsure", "from elsewhere"}, [3]string{model, reason, text})
		model, _, reason, text = y.decision("sure", "And it came to pass", more)
		require.Equal(t, [3]string{"plain", "cascade_confident", streamed(t, want)}, [3]string{model, reason, text})
	}
}

// What was spent today is known after a restart.
func TestBudgetAfterARestart(t *testing.T) {
	dir := t.TempDir()
	text := fmt.Sprintf(models, "http://127.0.0.1:9") + "ledger: {file: account.jsonl}\nbudget: {daily: 3}\nvirtual: {auto: {default: big, fallback: plain}}\n"
	c, err := config.Parse(filepath.Join(dir, "f.yaml"), []byte(text))
	require.NoError(t, err)
	for i, may := range []bool{true, false} {
		s := setup.New(nil)
		b, err := s.Build(context.Background(), c)
		require.NoError(t, err)
		core := b.Mix.Virtual[0].Core
		ticket, _ := core.Budget.Take(2 * price.One)
		require.Equal(t, may, ticket != nil, i)
		if ticket != nil {
			ticket.Settle(2 * price.One)
			require.NoError(t, core.Ledger.Add(ledger.Entry{Model: "big", Decision: "escalated", Cost: 2 * price.One}))
		}
		require.NoError(t, b.Discard())
		require.NoError(t, s.Close())
	}
}

func TestShadow(t *testing.T) {
	y := open(t, strings.Replace(auto, "    default: plain", "    shadow: plain\n    default: plain", 1))
	resp, _ := y.ask("/v1/chat/completions", chat("auto", "a contract", ""))
	require.Equal(t, "law=big", resp.Header.Get("X-Switchyard-Shadow"))
	require.Equal(t, "plain", resp.Header.Get("X-Switchyard-Model"))
	require.Equal(t, "shadow", resp.Header.Get("X-Switchyard-Reason"))
	require.Zero(t, y.up.calls.Load())
	log, err := os.ReadFile(filepath.Join(y.dir, "replay.jsonl"))
	require.NoError(t, err)
	require.Contains(t, string(log), `"decision":"law","chosen":"big"`)
}

// A prompt of a megabyte: what is longer than the context gets a clear error, and an upstream may have it.
func TestLargePrompt(t *testing.T) {
	patient := strings.Replace(auto, "  auto:\n", "  auto:\n    timeout: 30s\n", 1)
	y := open(t, patient+"guard: {timeout: 30s}\n")
	large := strings.Repeat("lorem ipsum ", 1<<20/12)
	begin := time.Now()
	resp, data := y.ask("/v1/chat/completions", chat("auto", large, ""))
	require.Equal(t, 400, resp.StatusCode)
	require.Contains(t, data, `"code":"context_length_exceeded"`)
	require.Less(t, time.Since(begin), 20*time.Second)
	model, route, _, _ := y.decision("auto", large+" contract", "")
	require.Equal(t, [2]string{"big", "law"}, [2]string{model, route})
}

func TestResponsesAndCompletions(t *testing.T) {
	y := open(t, auto)
	resp, data := y.ask("/v1/responses", `{"model":"auto","input":"a contract","max_output_tokens":6}`)
	require.Equal(t, 200, resp.StatusCode, data)
	require.Equal(t, "big", resp.Header.Get("X-Switchyard-Model"))
	require.Contains(t, data, `"text":"from elsewhere"`)
	require.Contains(t, data, `"output_tokens":2`)
	resp, data = y.ask("/v1/responses", `{"model":"auto","input":"a contract","stream":true}`)
	require.Equal(t, "big", resp.Header.Get("X-Switchyard-Model"))
	require.Contains(t, data, "event: response.completed")
	resp, data = y.ask("/v1/responses", `{"model":"auto","input":"func main() {","max_output_tokens":6}`)
	require.Equal(t, 200, resp.StatusCode, data)
	require.Equal(t, "coder", resp.Header.Get("X-Switchyard-Model"))
	resp, data = y.ask("/v1/completions", `{"model":"auto","prompt":"a contract","max_tokens":4}`)
	require.Equal(t, 200, resp.StatusCode, data)
	require.Equal(t, [2]string{"plain", "local_only"}, [2]string{resp.Header.Get("X-Switchyard-Model"), resp.Header.Get("X-Switchyard-Reason")})
	resp, _ = y.ask("/v1/chat/completions", chat("auto", "a contract", `,"gate":"topk=2"`))
	require.Equal(t, "plain", resp.Header.Get("X-Switchyard-Model"), "only a local model has gates")
	resp, data = y.ask("/v1/embeddings", `{"model":"auto","input":"x"}`)
	require.Equal(t, 404, resp.StatusCode, data)
	resp, data = y.ask("/v1/chat/completions", chat("big", "x", ""))
	require.Equal(t, 404, resp.StatusCode, data)
}

// Twenty reloads while clients ask virtual models: none is lost, the router stays open, the budget goes on.
func TestReloadUnderLoad(t *testing.T) {
	y := open(t, auto)
	stop := make(chan struct{})
	var asked atomic.Int64
	var wg sync.WaitGroup
	for i := range 6 {
		text, want := []string{"func main() {", "a contract", "hello"}[i%3], []string{"coder", "big", "plain"}[i%3]
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				model, _, _, answer := y.decision("auto", text, `,"stream":true`)
				assert.Equal(t, want, model)
				assert.NotEmpty(t, answer)
				asked.Add(1)
			}
		})
	}
	for i := range 20 {
		o, commit := y.options(strings.Replace(auto, "[contract, tax]", fmt.Sprintf("[contract, w%d]", i), 1))
		require.NoError(t, y.host.Reload(context.Background(), o))
		require.NoError(t, commit())
		seen := asked.Load()
		require.Eventually(t, func() bool { return asked.Load() >= seen+2 }, 10*time.Second, time.Millisecond)
	}
	close(stop)
	wg.Wait()
	require.GreaterOrEqual(t, asked.Load(), int64(40))
	log, err := os.Open(filepath.Join(y.dir, "replay.jsonl"))
	require.NoError(t, err)
	defer log.Close()
	lines := int64(0)
	for in := bufio.NewScanner(log); in.Scan(); lines++ {
	}
	require.Equal(t, asked.Load(), lines)
}

// Faults that only opening finds have their line too, and all are told.
func TestBuildFaults(t *testing.T) {
	dir := t.TempDir()
	encoder, err := filepath.Abs("../../testdata/encoders/bert")
	require.NoError(t, err)
	c, err := config.Parse(filepath.Join(dir, "f.yaml"), []byte(`models: {a: {dir: builtin}, e: {dir: `+encoder+`}}
routers:
  k: {kind: experts}
  d: {kind: difficulty, dir: nowhere}
  c: {kind: classifier, dir: nowhere}
upstreams:
  u: {base_url: "http://h/v1", model: m, api_key_env: SWITCHYARD_TEST_NO_SUCH_KEY}
guard: {words_file: nowhere.txt}
virtual:
  v:
    routes:
      - {when: {router: k, is: [poetry]}, model: a}
      - {name: b, when: {language: [klingon]}, model: a}
      - {name: c, when: {router: d, is: [strong]}, model: a}
      - {name: d, model: e}
    default: a
    fallback: a
`))
	require.NoError(t, err)
	s := setup.New(nil)
	_, err = s.Build(context.Background(), c)
	var f config.Faults
	require.ErrorAs(t, err, &f)
	text := err.Error()
	for _, want := range []string{
		"f.yaml:4: routers.d: want a router of kind difficulty, found ", "f.yaml:5: routers.c: want a router of kind classifier",
		"f.yaml:7: upstreams.u: want an upstream, found ", "SWITCHYARD_TEST_NO_SUCH_KEY", "guard.words_file: want a file of words",
		`f.yaml:12: virtual.v.routes[0].when.is: want labels of the router k: code, dictionary, french`, `found "poetry"`,
		`f.yaml:13: virtual.v.routes[1].when.language: want one of ar, de,`, `found "klingon"`,
	} {
		require.Contains(t, text, want)
	}
	require.Contains(t, text, "f.yaml:15: virtual.v.routes[3].model: want a model that generates text, found e, an encoder")
	require.Len(t, f, 7)
	require.NoError(t, s.Close())
}

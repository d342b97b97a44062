package serve_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seed2fbf7788/switchyard/serve"
	"github.com/seed2fbf7788/switchyard/serve/engine"
)

// fuzzBody sends bodies to one route: any answer is a status that fits and JSON or events; the server lives on.
func fuzzBody(f *testing.F, path string, seeds ...string) {
	c := start(f, serve.Options{Engine: engine.Options{KVTokens: 1024}})
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		// Long answers teach nothing: the fuzzer is to change bodies and not to wait.
		var v map[string]any
		if json.Unmarshal([]byte(body), &v) == nil && v["model"] == name {
			for _, key := range []string{"max_tokens", "max_completion_tokens", "max_output_tokens"} {
				if n, ok := v[key].(float64); ok && n > 4 {
					return
				}
			}
			if n, ok := v["n"].(float64); ok && n > 4 || !strings.Contains(body, "max_") && path != "/tokenize" && path != "/detokenize" {
				return
			}
		}
		w := httptest.NewRecorder()
		begin := time.Now()
		c.srv.Handler().ServeHTTP(w, httptest.NewRequest("POST", path, strings.NewReader(body)))
		if took := time.Since(begin); took > 20*time.Second {
			t.Fatalf("%v for %q", took, body)
		}
		switch w.Code {
		case http.StatusOK:
		case 400, 404, 413, 503:
			var e struct {
				Error struct{ Message, Type string }
			}
			if json.Unmarshal(w.Body.Bytes(), &e) != nil || e.Error.Message == "" || e.Error.Type == "" {
				t.Fatalf("%d: %s", w.Code, w.Body)
			}
		default:
			t.Fatalf("status %d for %q: %s", w.Code, body, w.Body)
		}
	})
}

func FuzzChatBody(f *testing.F) {
	fuzzBody(f, "/v1/chat/completions",
		`{"model":"`+name+`","messages":[{"role":"user","content":"x"}],"max_tokens":2,"logprobs":true,"top_logprobs":2,"stream":true,"stream_options":{"include_usage":true}}`,
		`{"model":"`+name+`","messages":[{"role":"system","content":[{"type":"text","text":"a"}]},{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"1","content":"r"}],"max_completion_tokens":3,"n":2,"stop":["a","b"],"seed":1,"logit_bias":{"5":1}}`,
		`{"model":"`+name+`","messages":[{"role":"user","content":"x"}],"max_tokens":4,"response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{"const":1}}}}`,
		`{"model":"`+name+`","messages":[{"role":"user","content":"x"}],"max_tokens":4,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"tool_choice":"auto","gate":"topk=1","routing":true}`)
}

func FuzzCompletionBody(f *testing.F) {
	fuzzBody(f, "/v1/completions", `{"model":"`+name+`","prompt":"x","max_tokens":2,"logprobs":1}`, `{"model":"`+name+`","prompt":[1,2],"max_tokens":2,"echo":true,"n":2}`,
		`{"model":"`+name+`","prompt":[[1],[2,3]],"max_tokens":1,"stream":true}`, `{"model":"`+name+`","prompt":["a","b"],"max_tokens":1,"temperature":0.5,"top_p":0.1,"top_k":3,"min_p":0.1}`)
}

func FuzzResponsesBody(f *testing.F) {
	fuzzBody(f, "/v1/responses", `{"model":"`+name+`","input":"x","max_output_tokens":2}`,
		`{"model":"`+name+`","input":[{"role":"user","content":[{"type":"input_text","text":"x"}]},{"type":"function_call","call_id":"1","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"1","output":"y"}],"max_output_tokens":2,"stream":true,"text":{"format":{"type":"json_object"}}}`)
}

func FuzzTokenizeBody(f *testing.F) {
	fuzzBody(f, "/tokenize", `{"prompt":"x","add_special_tokens":false}`, `{"model":"`+name+`","messages":[{"role":"user","content":"x"}]}`)
}

func FuzzDetokenizeBody(f *testing.F) {
	fuzzBody(f, "/detokenize", `{"tokens":[1,2,3]}`, `{"model":"`+name+`","tokens":[]}`)
}

func FuzzEmbeddingsBody(f *testing.F) {
	fuzzBody(f, "/v1/embeddings", `{"model":"`+name+`","input":"x"}`, `{"model":"`+name+`","input":["x"],"encoding_format":"base64","dimensions":4}`)
}

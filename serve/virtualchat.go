package serve

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/serve/engine"
)

// virtualChat answers chat completions for a virtual model.
func (s *Server) virtualChat(w http.ResponseWriter, r *http.Request, v *Virtual, p *chatParams, body []byte) {
	x, err := s.mix(r, v, p, body, newID("chatcmpl-"))
	if err != nil {
		writeError(w, named(err, "messages"))
		return
	}
	defer x.close()
	x.headers(w)
	switch {
	case x.local():
		newChatWriter(x.answering(), p).write(w)
	case p.stream:
		x.passStream(w)
	default:
		x.passWhole(w)
	}
}

// passWhole hands on an upstream's answer as it is.
func (x *mixed) passWhole(w http.ResponseWriter) {
	e, ok := x.policy.Next()
	if !ok {
		if x.failed = x.policy.Err(); x.failed == nil {
			x.failed = errNoAnswer
		}
		writeError(w, x.failed)
		return
	}
	writeJSON(w, http.StatusOK, e.Raw)
}

var errNoAnswer = &apiError{status: http.StatusBadGateway, Type: "upstream_error", Code: "bad_answer", Message: "The upstream gave no answer."}

// passStream hands on an upstream's chunks as they come. One that breaks off ends with an error and without [DONE], so that nobody
// takes a part for the whole.
func (x *mixed) passStream(w http.ResponseWriter) {
	ctx, cancel := context.WithCancel(x.r.Context())
	defer cancel()
	out := newSSE(w, x.s.opts.Ping, x.s.opts.WriteTimeout, cancel)
	defer out.close()
	for {
		e, ok := x.policy.Next()
		if !ok {
			break
		}
		usageOnly := e.Usage != nil && e.Text == "" && e.Finish == ""
		if len(e.Raw) > 0 && (!usageOnly || x.p.includeUsage) {
			out.data(e.Raw)
		}
		if ctx.Err() != nil {
			x.failed = ctx.Err()
			return
		}
	}
	if err := x.policy.Err(); err != nil {
		x.failed = err
		out.data(map[string]any{"error": asAPI(err)})
		return
	}
	out.done()
}

// virtualResponses answers /v1/responses for a virtual model. Of an upstream's answer only the text is handed on; requests with tools
// stay with local models.
func (s *Server) virtualResponses(w http.ResponseWriter, r *http.Request, v *Virtual, f *fields, p *chatParams) {
	p.localTools = len(p.tools) > 0
	body, err := chatBody(f, p)
	if err != nil {
		writeError(w, err)
		return
	}
	x, err := s.mix(r, v, p, body, newID("resp_"))
	if err != nil {
		writeError(w, named(err, "input"))
		return
	}
	defer x.close()
	x.headers(w)
	g := x.textRun()
	if x.local() {
		g = x.answering()
	}
	newResponseWriter(g, p).write(w)
}

// chatBody is a request of /v1/responses as one of chat completions.
func chatBody(f *fields, p *chatParams) ([]byte, error) {
	b := map[string]any{"model": p.model, "messages": p.messages}
	for _, name := range []string{"temperature", "top_p", "seed"} {
		if f.has(name) {
			b[name] = f.raw[name]
		}
	}
	if p.req.MaxTokens > 0 {
		b["max_completion_tokens"] = p.req.MaxTokens
	}
	if t, ok := f.raw["text"]; ok {
		var text struct {
			Format json.RawMessage `json:"format"`
		}
		if json.Unmarshal(t, &text) == nil && text.Format != nil {
			if format, ok := nested(text.Format); ok {
				b["response_format"] = format
			}
		}
	}
	return json.Marshal(b)
}

// nested is a text.format as the response_format of chat completions, where the schema stands one level deeper.
func nested(format json.RawMessage) (any, bool) {
	var flat map[string]json.RawMessage
	if json.Unmarshal(format, &flat) != nil || string(flat["type"]) == `"text"` {
		return nil, false
	}
	if string(flat["type"]) != `"json_schema"` {
		return format, true
	}
	delete(flat, "type")
	return map[string]any{"type": "json_schema", "json_schema": flat}, true
}

// textRun is a run whose one choice is the text of an upstream.
func (x *mixed) textRun() *run {
	p := x.p.params
	p.req.LogProbs = false
	g := &run{s: x.s, l: &live{name: x.made.Model}, id: x.id, made: time.Now().Unix(), p: p, jobs: make([]*engine.Job, 1), tokens: make([]int, 1)}
	g.ctx, g.cancel = context.WithCancel(x.r.Context())
	g.source = func(f func(news) error) error {
		defer g.cancel()
		finish := model.Finish("")
		for {
			e, ok := x.policy.Next()
			if !ok {
				break
			}
			if e.Finish != "" {
				finish = model.Finish(e.Finish)
			}
			if e.Text != "" {
				if err := f(news{list: []engine.Token{{ID: -1, Text: e.Text}}}); err != nil {
					return err
				}
			}
		}
		if x.failed = x.policy.Err(); x.failed != nil {
			return x.failed
		}
		u, _ := x.policy.Usage()
		g.usage.Prompt, g.usage.Completion, g.usage.Total = int(u.In), int(u.Out), int(u.In+u.Out)
		if finish == "" {
			finish = model.FinishStop
		}
		return f(news{finish: finish})
	}
	return g
}

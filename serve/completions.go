package serve

import (
	"encoding/json"
	"net/http"
	"strings"
)

// completionChoice is one choice of a text completion.
type completionChoice struct {
	Index    int           `json:"index"`
	Text     string        `json:"text"`
	LogProbs *textLogProbs `json:"logprobs"`
	Finish   *string       `json:"finish_reason"`
	Routing  *routing      `json:"routing,omitempty"`
}

// completion is the answer, or one chunk of it.
type completion struct {
	ID          string             `json:"id"`
	Object      string             `json:"object"`
	Created     int64              `json:"created"`
	Model       string             `json:"model"`
	Fingerprint string             `json:"system_fingerprint"`
	Choices     []completionChoice `json:"choices"`
	Usage       *usage             `json:"usage,omitempty"`
}

// completionParams are those of /v1/completions alone.
type completionParams struct {
	params
	prompts []prompt
	echo    bool
}

// prompt is text or ids.
type prompt struct {
	text string
	ids  []int32
}

func readCompletion(f *fields) (completionParams, error) {
	p := completionParams{params: common(f)}
	p.prompts = textsOrIDs(f, "prompt", maxChoices)
	p.req.MaxTokens = int(f.int("max_tokens", 16, 1, maxTokens))
	if f.has("logprobs") {
		p.req.LogProbs, p.req.Top = true, int(f.int("logprobs", 0, 0, maxTop))
	}
	p.echo = f.bool("echo", false)
	if p.echo && p.req.LogProbs {
		f.fail(unsupported("echo", "Unsupported parameter: 'echo' together with 'logprobs' is not supported by this server."))
	}
	if n := f.int("best_of", int64(p.n), 1, maxChoices); int(n) != p.n {
		f.fail(unsupported("best_of", "Unsupported parameter: 'best_of' other than 'n' is not supported by this server."))
	}
	f.refuse("suffix")
	if len(p.prompts)*p.n > maxChoices {
		f.bad("prompt", "want at most %d prompts times n, found %d", maxChoices, len(p.prompts)*p.n)
	}
	p.format(f)
	return p, f.done()
}

// textsOrIDs reads a string, a list of strings, ids, or a list of lists of ids, at most limit of them.
func textsOrIDs(f *fields, name string, limit int) []prompt {
	data, ok := f.get(name)
	if !ok {
		f.bad(name, "it is required")
		return nil
	}
	if texts, ok := stringOrList(data); ok && len(texts) > 0 && len(texts) <= limit {
		out := make([]prompt, len(texts))
		for i, t := range texts {
			out[i].text = t
		}
		return out
	}
	var ids []int32
	if json.Unmarshal(data, &ids) == nil && len(ids) > 0 {
		return []prompt{{ids: ids}}
	}
	var lists [][]int32
	if json.Unmarshal(data, &lists) == nil && len(lists) > 0 && len(lists) <= limit {
		out := make([]prompt, len(lists))
		for i, l := range lists {
			out[i].ids = append([]int32{}, l...)
		}
		return out
	}
	f.bad(name, "want a string, a list of strings, token ids, or lists of token ids, at most %d", limit)
	return nil
}

func stringOrList(data json.RawMessage) ([]string, bool) {
	var one string
	if json.Unmarshal(data, &one) == nil {
		return []string{one}, true
	}
	var list []string
	return list, json.Unmarshal(data, &list) == nil
}

// completions answers POST /v1/completions.
func (s *Server) completions(w http.ResponseWriter, r *http.Request) {
	f, err := s.body(w, r)
	if err != nil {
		writeError(w, err)
		return
	}
	p, err := readCompletion(f)
	if err != nil {
		writeError(w, err)
		return
	}
	if v := s.virtual[p.model]; v != nil {
		p.model = s.decideLocally(w, r, v, p.prompts)
	}
	l, err := s.model(r, p.model)
	if err != nil {
		writeError(w, err)
		return
	}
	ids, err := p.encode(l)
	if err != nil {
		writeError(w, named(err, "prompt"))
		return
	}
	g, err := s.launch(r, l, newID("cmpl-"), &p.params, ids)
	if err != nil {
		writeError(w, named(err, "prompt"))
		return
	}
	c := &completionWriter{run: g, echo: p.echo, offset: make([]int, len(g.jobs)), lead: p.leads(l)}
	if p.stream {
		c.stream(w)
		return
	}
	c.whole(w)
}

// encode turns the prompts into ids, and texts of ids where echo needs them.
func (p *completionParams) encode(l *live) ([][]int32, error) {
	out := make([][]int32, len(p.prompts))
	for i, pr := range p.prompts {
		if out[i] = pr.ids; pr.ids == nil {
			var err error
			if out[i], err = l.m.EncodePrompt(pr.text); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// leads are the texts that stand before the choices: with echo the prompts.
func (p *completionParams) leads(l *live) []string {
	out := make([]string, len(p.prompts)*p.n)
	for i := range out {
		pr := p.prompts[i/p.n]
		if !p.echo {
			continue
		}
		if out[i] = pr.text; pr.ids != nil {
			if tok, err := l.m.Tokenizer(); err == nil && l.m.CheckIDs(pr.ids) == nil {
				out[i], _ = tok.Decode(pr.ids, false)
			}
		}
	}
	return out
}

// completionWriter writes the news of a run as text completions.
type completionWriter struct {
	*run
	echo   bool
	offset []int
	lead   []string
}

func (c *completionWriter) body(choices []completionChoice) completion {
	return completion{ID: c.id, Object: "text_completion", Created: c.made, Model: c.l.name, Fingerprint: c.l.fingerprint, Choices: choices}
}

// choice is the news of one choice.
func (c *completionWriter) choice(n news) completionChoice {
	out := completionChoice{Index: n.choice}
	var text strings.Builder
	text.WriteString(c.lead[n.choice])
	c.lead[n.choice] = ""
	for _, t := range n.list {
		text.WriteString(t.Text)
	}
	out.Text = text.String()
	if c.p.req.LogProbs {
		tok, _ := c.l.m.Tokenizer()
		out.LogProbs = newTextLogProbs(tok, n.list, c.offset[n.choice])
	}
	c.offset[n.choice] += text.Len()
	return out
}

func (c *completionWriter) stream(w http.ResponseWriter) {
	out := c.open(w)
	defer out.close()
	err := c.run.stream(func(n news) error {
		if len(n.list) > 0 || c.lead[n.choice] != "" {
			out.data(c.body([]completionChoice{c.choice(n)}))
		}
		if n.finish != "" {
			end := finished(n.finish)
			out.data(c.body([]completionChoice{{Index: n.choice, Finish: &end, Routing: c.routed(n.choice)}}))
		}
		return nil
	})
	if err != nil {
		c.fault(out, err)
		return
	}
	if c.p.includeUsage {
		last := c.body([]completionChoice{})
		last.Usage = &c.usage
		out.data(last)
	}
	out.done()
}

func (c *completionWriter) whole(w http.ResponseWriter) {
	all := make([]news, len(c.jobs))
	err := c.run.stream(func(n news) error {
		a := &all[n.choice]
		a.choice, a.list, a.finish = n.choice, append(a.list, n.list...), n.finish
		return nil
	})
	if err != nil {
		writeError(w, err)
		return
	}
	choices := make([]completionChoice, len(all))
	for i, n := range all {
		end := finished(n.finish)
		choices[i] = c.choice(n)
		choices[i].Finish, choices[i].Routing = &end, c.routed(i)
	}
	answer := c.body(choices)
	answer.Usage = &c.usage
	c.headers(w)
	writeJSON(w, http.StatusOK, answer)
}

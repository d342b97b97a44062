package serve

import (
	"encoding/json"
	"net/http"
	"strings"
)

// chatParams are those of chat completions; /v1/responses is turned into them.
type chatParams struct {
	params
	messages []message
	tools    []tool
	choice_  toolChoice
	kwargs   json.RawMessage // for the template

	localTools bool // tools that no upstream is asked with
}

func readChat(f *fields) (chatParams, error) {
	p := chatParams{params: common(f)}
	p.messages = messages(f)
	p.readTools(f)
	p.req.MaxTokens = int(f.int("max_tokens", 0, 1, maxTokens))
	if f.has("max_completion_tokens") {
		p.req.MaxTokens = int(f.int("max_completion_tokens", 0, 1, maxTokens))
	}
	p.req.LogProbs = f.bool("logprobs", false)
	p.req.Top = int(f.int("top_logprobs", 0, 0, maxTop))
	if p.req.Top > 0 && !p.req.LogProbs {
		f.bad("top_logprobs", "only allowed when 'logprobs' is true")
	}
	f.decode("chat_template_kwargs", "an object", &p.kwargs)
	p.format(f)
	p.callOutput(f)
	f.ignore("store", "reasoning_effort", "verbosity", "max_completion_tokens")
	if data, ok := f.get("modalities"); ok && string(data) != `["text"]` {
		f.fail(unsupported("modalities", "Unsupported value: 'modalities' other than [\"text\"] are not supported by this server."))
	}
	f.refuse("audio", "prediction", "web_search_options", "functions", "function_call")
	return p, f.done()
}

// chatMessage is an answer, or what a chunk adds to it.
type chatMessage struct {
	Role      string     `json:"role,omitempty"`
	Content   *string    `json:"content,omitempty"`
	ToolCalls []toolCall `json:"tool_calls,omitempty"`
}

type toolCall struct {
	Index    *int   `json:"index,omitempty"` // in chunks
	ID       string `json:"id,omitempty"`
	Type     string `json:"type,omitempty"`
	Function struct {
		Name      string `json:"name,omitempty"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

// wholeMessage is chatMessage where nothing may be left out.
type wholeMessage struct {
	Role        string     `json:"role"`
	Content     *string    `json:"content"`
	Refusal     *string    `json:"refusal"`
	ToolCalls   []toolCall `json:"tool_calls,omitempty"`
	Annotations []any      `json:"annotations"`
}

type chatLogs struct {
	Content []chatLogProb `json:"content"`
	Refusal []chatLogProb `json:"refusal"`
}

type chatChoice struct {
	Index    int           `json:"index"`
	Message  *wholeMessage `json:"message,omitempty"`
	Delta    *chatMessage  `json:"delta,omitempty"`
	LogProbs *chatLogs     `json:"logprobs"`
	Finish   *string       `json:"finish_reason"`
	Routing  *routing      `json:"routing,omitempty"`

	// Experts and Tokens are in the chunks of a stream with routing "live": how often each expert of each mixture layer has
	// worked since the chunk before, and how many tokens were generated since.
	Experts []map[int32]int `json:"experts,omitempty"`
	Tokens  int             `json:"tokens,omitempty"`
}

type chatCompletion struct {
	ID          string       `json:"id"`
	Object      string       `json:"object"`
	Created     int64        `json:"created"`
	Model       string       `json:"model"`
	Fingerprint string       `json:"system_fingerprint"`
	Choices     []chatChoice `json:"choices"`
	Usage       *usage       `json:"usage,omitempty"`
	ServiceTier string       `json:"service_tier,omitempty"`
}

// chatCompletions answers POST /v1/chat/completions.
func (s *Server) chatCompletions(w http.ResponseWriter, r *http.Request) {
	f, err := s.body(w, r)
	if err != nil {
		writeError(w, err)
		return
	}
	p, err := readChat(f)
	if err != nil {
		writeError(w, err)
		return
	}
	if v := s.virtual[p.model]; v != nil {
		s.virtualChat(w, r, v, &p, f.data)
		return
	}
	g, err := s.chat(r, newID("chatcmpl-"), &p)
	if err != nil {
		writeError(w, named(err, "messages"))
		return
	}
	newChatWriter(g, &p).write(w)
}

func (c *chatWriter) write(w http.ResponseWriter) {
	if c.p.stream {
		c.stream(w)
		return
	}
	c.whole(w)
}

// chat renders a conversation and starts its choices.
func (s *Server) chat(r *http.Request, id string, p *chatParams) (*run, error) {
	l, err := s.model(r, p.model)
	if err != nil {
		return nil, err
	}
	tools := p.tools
	if p.choice_.mode == "none" {
		tools = nil
	}
	ids, stops, err := l.render(p.messages, tools, p.kwargs)
	if err != nil {
		return nil, err
	}
	p.req.Stop = append(p.req.Stop, stops...)
	return s.launch(r, l, id, &p.params, [][]int32{ids})
}

// chatWriter writes the news of a run as chat completions.
type chatWriter struct {
	*run
	parsers  []callParser
	routedTo []int  // tokens whose routing was told
	begun    []bool // the text of a choice has begun; under the plain template blanks before it are dropped
}

func newChatWriter(g *run, p *chatParams) *chatWriter {
	c := &chatWriter{run: g, parsers: make([]callParser, len(g.jobs)), begun: make([]bool, len(g.jobs)), routedTo: make([]int, len(g.jobs))}
	for i := range c.parsers {
		c.parsers[i], c.begun[i] = p.parser(), !g.l.plain
	}
	return c
}

// trim drops the blanks that the plain template makes a model write before its answer, in the tokens themselves.
func (c *chatWriter) trim(n news) {
	for i := range n.list {
		if c.begun[n.choice] {
			return
		}
		t := &n.list[i]
		t.Text = strings.TrimLeft(t.Text, " \n")
		c.begun[n.choice] = t.Text != ""
	}
}

func (c *chatWriter) body(object string, choices []chatChoice) chatCompletion {
	return chatCompletion{ID: c.id, Object: object, Created: c.made, Model: c.l.name, Fingerprint: c.l.fingerprint, Choices: choices, ServiceTier: "default"}
}

func (c *chatWriter) chunk(choice chatChoice) chatCompletion {
	return c.body("chat.completion.chunk", []chatChoice{choice})
}

// logs are the log-probabilities of the news, nil where they were not asked for.
func (c *chatWriter) logs(n news) *chatLogs {
	if !c.p.req.LogProbs {
		return nil
	}
	tok, _ := c.l.m.Tokenizer()
	return &chatLogs{Content: chatLogProbs(tok, n.list)}
}

func (c *chatWriter) stream(w http.ResponseWriter) {
	out := c.open(w)
	defer out.close()
	for i := range c.jobs {
		empty := ""
		out.data(c.chunk(chatChoice{Index: i, Delta: &chatMessage{Role: "assistant", Content: &empty}}))
	}
	err := c.run.stream(func(n news) error {
		c.trim(n)
		c.tell(out, n)
		return nil
	})
	if err != nil {
		c.fault(out, err)
		return
	}
	if c.p.includeUsage {
		last := c.body("chat.completion.chunk", []chatChoice{})
		last.Usage = &c.usage
		out.data(last)
	}
	out.done()
}

// tell writes the news of one choice: text, calls, the end.
func (c *chatWriter) tell(out *sse, n news) {
	text, calls := c.parsers[n.choice].add(textOf(n.list), n.finish != "")
	logs := c.logs(n)
	if text != "" || logs != nil && len(logs.Content) > 0 {
		choice := chatChoice{Index: n.choice, Delta: &chatMessage{Content: &text}, LogProbs: logs}
		if c.p.routing == "live" {
			choice.Experts, c.routedTo[n.choice] = c.jobs[n.choice].RoutedSince(c.routedTo[n.choice])
			choice.Tokens = len(n.list)
		}
		out.data(c.chunk(choice))
	}
	if len(calls) > 0 {
		out.data(c.chunk(chatChoice{Index: n.choice, Delta: &chatMessage{ToolCalls: calls}}))
	}
	if n.finish != "" {
		end := c.ended(n)
		out.data(c.chunk(chatChoice{Index: n.choice, Delta: &chatMessage{}, Finish: &end, Routing: c.routed(n.choice)}))
	}
}

// ended is the finish reason of a choice: calls are one of their own.
func (c *chatWriter) ended(n news) string {
	if c.parsers[n.choice].calls > 0 && n.finish == "stop" {
		return "tool_calls"
	}
	return finished(n.finish)
}

func (c *chatWriter) whole(w http.ResponseWriter) {
	all := make([]news, len(c.jobs))
	err := c.run.stream(func(n news) error {
		c.trim(n)
		a := &all[n.choice]
		a.choice, a.list, a.finish = n.choice, append(a.list, n.list...), n.finish
		return nil
	})
	if err != nil {
		writeError(w, err)
		return
	}
	choices := make([]chatChoice, len(all))
	for i, n := range all {
		text, calls := c.parsers[i].add(textOf(n.list), true)
		m := &wholeMessage{Role: "assistant", Content: &text, ToolCalls: joinCalls(calls), Annotations: []any{}}
		if len(calls) > 0 && text == "" {
			m.Content = nil
		}
		end := c.ended(n)
		choices[i] = chatChoice{Index: i, Message: m, LogProbs: c.logs(n), Finish: &end, Routing: c.routed(i)}
	}
	answer := c.body("chat.completion", choices)
	answer.Usage = &c.usage
	c.headers(w)
	writeJSON(w, http.StatusOK, answer)
}

package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// readResponses turns a request of /v1/responses into one of chat completions. Nothing is stored: what refers to stored
// responses is refused.
func readResponses(f *fields) (chatParams, error) {
	p := chatParams{params: params{model: f.str("model", ""), n: 1}}
	if p.model == "" {
		f.fail(badRequest("model", "you must provide a model parameter"))
	}
	p.stream = f.bool("stream", false)
	p.sampling(f)
	p.extensions(f)
	p.messages = inputs(f)
	p.readResponseTools(f)
	p.req.MaxTokens = int(f.int("max_output_tokens", 0, 1, maxTokens))
	p.req.Top = int(f.int("top_logprobs", 0, 0, maxTop))
	if t, ok := f.sub("text"); ok {
		if r, ok := t.sub("format"); ok {
			p.readFormat(t, r, "text.format")
		}
		t.ignore("verbosity")
		if err := t.done(); err != nil {
			f.fail(asAPI(err))
		}
	}
	p.callOutput(f)
	f.ignore("store", "metadata", "user", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "truncation", "include", "reasoning", "stream_options", "max_tool_calls")
	if f.bool("background", false) {
		f.fail(unsupported("background", "Unsupported parameter: 'background' is not supported by this server."))
	}
	f.refuse("previous_response_id", "conversation", "prompt")
	return p, f.done()
}

// inputs reads instructions and input: a text, or a list of messages, calls and their results.
func inputs(f *fields) []message {
	var out []message
	if text := f.str("instructions", ""); text != "" {
		out = append(out, message{Role: "system", Content: &text})
	}
	data, ok := f.get("input")
	if !ok {
		f.bad("input", "it is required")
		return nil
	}
	var text string
	if json.Unmarshal(data, &text) == nil {
		return append(out, message{Role: "user", Content: &text})
	}
	var items []json.RawMessage
	if json.Unmarshal(data, &items) != nil || len(items) == 0 || len(items) > maxMessages {
		f.bad("input", "want a text or a list of 1 to %d items", maxMessages)
		return nil
	}
	for i, item := range items {
		m, err := readItem(item, fmt.Sprintf("input[%d].", i))
		if err != nil {
			f.fail(asAPI(err))
			return nil
		}
		out = append(out, m...)
	}
	if len(out) == 0 {
		f.bad("input", "it holds no message")
	}
	return out
}

// readItem reads one item of the input.
func readItem(data json.RawMessage, path string) ([]message, error) {
	var head struct {
		Type      string          `json:"type"`
		CallID    string          `json:"call_id"`
		Name      string          `json:"name"`
		Arguments string          `json:"arguments"`
		Output    json.RawMessage `json:"output"`
	}
	if json.Unmarshal(data, &head) != nil {
		return nil, badRequest(strings.TrimSuffix(path, "."), "Invalid value for '%s': want an object.", strings.TrimSuffix(path, "."))
	}
	switch head.Type {
	case "", "message":
		var m map[string]json.RawMessage
		if err := json.Unmarshal(data, &m); err != nil {
			return nil, badRequest(path, "Invalid value for '%s': want an object.", path)
		}
		for _, k := range []string{"type", "id", "status", "phase"} {
			delete(m, k)
		}
		plain, _ := json.Marshal(m)
		one, err := readMessage(plain, path)
		return []message{one}, err
	case "function_call":
		c := sentCall{ID: head.CallID, Type: "function"}
		c.Function.Name, c.Function.Arguments = head.Name, json.RawMessage(head.Arguments)
		if !json.Valid(c.Function.Arguments) {
			c.Function.Arguments, _ = json.Marshal(head.Arguments)
		}
		return []message{{Role: "assistant", ToolCalls: []sentCall{c}}}, nil
	case "function_call_output":
		text := string(head.Output)
		var s string
		if json.Unmarshal(head.Output, &s) == nil {
			text = s
		}
		return []message{{Role: "tool", ToolCallID: head.CallID, Content: &text}}, nil
	case "reasoning":
		return nil, nil
	}
	return nil, unsupported(path+"type", "Unsupported item %q: this server takes messages, function calls and their outputs.", clip(head.Type, 40))
}

// readResponseTools reads tools whose members stand beside the type.
func (p *chatParams) readResponseTools(f *fields) {
	var flat []struct {
		Type string `json:"type"`
		toolFunction
	}
	if f.decode("tools", "a list of tools", &flat) {
		list := make([]tool, len(flat))
		for i, t := range flat {
			list[i] = tool{t.Type, t.toolFunction}
		}
		f.raw["tools"], _ = json.Marshal(list)
	}
	p.readTools(f)
}

// response is the answer of /v1/responses, as it is at some moment.
type response struct {
	ID           string          `json:"id"`
	Object       string          `json:"object"`
	Created      int64           `json:"created_at"`
	Status       string          `json:"status"`
	Error        any             `json:"error"`
	Incomplete   any             `json:"incomplete_details"`
	Instructions any             `json:"instructions"`
	MaxTokens    *int            `json:"max_output_tokens"`
	Model        string          `json:"model"`
	Output       []*responseItem `json:"output"`
	Parallel     bool            `json:"parallel_tool_calls"`
	Previous     any             `json:"previous_response_id"`
	Reasoning    map[string]any  `json:"reasoning"`
	Store        bool            `json:"store"`
	Temperature  float64         `json:"temperature"`
	Text         map[string]any  `json:"text"`
	ToolChoice   any             `json:"tool_choice"`
	Tools        []any           `json:"tools"`
	TopP         float64         `json:"top_p"`
	Truncation   string          `json:"truncation"`
	Usage        *responseUsage  `json:"usage"`
	User         any             `json:"user"`
	Metadata     map[string]any  `json:"metadata"`
	Routing      *routing        `json:"routing,omitempty"`
}

type responseUsage struct {
	Input        int            `json:"input_tokens"`
	InputDetail  map[string]int `json:"input_tokens_details"`
	Output       int            `json:"output_tokens"`
	OutputDetail map[string]int `json:"output_tokens_details"`
	Total        int            `json:"total_tokens"`
}

// responseItem is a message or a function call.
type responseItem struct {
	Type      string         `json:"type"`
	ID        string         `json:"id"`
	Status    string         `json:"status"`
	Role      string         `json:"role,omitempty"`
	Content   []responsePart `json:"content,omitempty"`
	CallID    string         `json:"call_id,omitempty"`
	Name      string         `json:"name,omitempty"`
	Arguments *string        `json:"arguments,omitempty"`
}

// MarshalJSON writes a message's content also where it has none yet.
func (i *responseItem) MarshalJSON() ([]byte, error) {
	type plain responseItem
	if i.Type != "message" {
		return json.Marshal((*plain)(i))
	}
	content := i.Content
	if content == nil {
		content = []responsePart{}
	}
	return json.Marshal(struct {
		*plain
		Content []responsePart `json:"content"`
	}{(*plain)(i), content})
}

type responsePart struct {
	Type        string        `json:"type"`
	Text        string        `json:"text"`
	Annotations []any         `json:"annotations"`
	LogProbs    []chatLogProb `json:"logprobs"`
}

func textPart(text string, logs []chatLogProb) responsePart {
	if logs == nil {
		logs = []chatLogProb{}
	}
	return responsePart{"output_text", text, []any{}, logs}
}

// responses answers POST /v1/responses.
func (s *Server) responses(w http.ResponseWriter, r *http.Request) {
	f, err := s.body(w, r)
	if err != nil {
		writeError(w, err)
		return
	}
	include := strings.Contains(string(f.raw["include"]), "message.output_text.logprobs")
	p, err := readResponses(f)
	if err != nil {
		writeError(w, err)
		return
	}
	p.req.LogProbs = include || p.req.Top > 0
	if v := s.virtual[p.model]; v != nil {
		s.virtualResponses(w, r, v, f, &p)
		return
	}
	g, err := s.chat(r, newID("resp_"), &p)
	if err != nil {
		writeError(w, named(err, "input"))
		return
	}
	newResponseWriter(g, &p).write(w)
}

func (a *responseWriter) write(w http.ResponseWriter) {
	if !a.p.stream {
		a.whole(w)
		return
	}
	a.stream(w)
}

// responseWriter builds the answer from the news; with out set it tells every change as a typed event.
type responseWriter struct {
	*chatWriter
	answer response
	out    *sse // nil: no stream
	number int  // of the next event
	item   *responseItem
	text   strings.Builder // of the message at work
	logs   []chatLogProb
}

func newResponseWriter(g *run, p *chatParams) *responseWriter {
	a := &responseWriter{chatWriter: newChatWriter(g, p)}
	a.answer = response{ID: g.id, Object: "response", Created: g.made, Status: "in_progress", Model: g.l.name, Output: []*responseItem{}, Parallel: true,
		Reasoning: map[string]any{"effort": nil, "summary": nil}, Temperature: p.req.Sampling.Temperature, TopP: p.req.Sampling.TopP,
		Text: map[string]any{"format": map[string]string{"type": "text"}}, ToolChoice: p.choice_.told(), Tools: toldTools(p.tools), Truncation: "disabled", Metadata: map[string]any{}}
	switch p.out.kind {
	case "object":
		a.answer.Text["format"] = map[string]any{"type": "json_object"}
	case "schema":
		a.answer.Text["format"] = map[string]any{"type": "json_schema", "name": "schema", "schema": p.out.schema, "strict": true}
	}
	if n := p.req.MaxTokens; n > 0 {
		a.answer.MaxTokens = &n
	}
	return a
}

// told is the choice in the form of responses.
func (c toolChoice) told() any {
	if c.name != "" {
		return map[string]string{"type": "function", "name": c.name}
	}
	if c.mode == "none" {
		return "auto"
	}
	return c.mode
}

func toldTools(list []tool) []any {
	out := []any{}
	for _, t := range list {
		out = append(out, map[string]any{"type": "function", "name": t.Function.Name, "description": t.Function.Description,
			"parameters": t.Function.Parameters, "strict": t.Function.Strict != nil && *t.Function.Strict})
	}
	return out
}

func (a *responseWriter) whole(w http.ResponseWriter) {
	if err := a.run.stream(a.news); err != nil {
		writeError(w, err)
		return
	}
	a.headers(w)
	writeJSON(w, http.StatusOK, a.complete())
}

func (a *responseWriter) stream(w http.ResponseWriter) {
	a.out = a.open(w)
	defer a.out.close()
	a.tell("response.created", map[string]any{"response": a.answer})
	a.tell("response.in_progress", map[string]any{"response": a.answer})
	if err := a.run.stream(a.news); err != nil {
		e := asAPI(err)
		a.answer.Status, a.answer.Error = "failed", map[string]string{"code": "server_error", "message": e.Message}
		a.tell("response.failed", map[string]any{"response": a.answer})
		return
	}
	done := a.complete()
	a.tell("response."+done.Status, map[string]any{"response": done})
}

// tell writes a typed event.
func (a *responseWriter) tell(kind string, v map[string]any) {
	if a.out == nil {
		return
	}
	v["type"], v["sequence_number"] = kind, a.number
	a.number++
	a.out.event(kind, v)
}

// news takes what the one choice has to tell.
func (a *responseWriter) news(n news) error {
	a.trim(n)
	text, calls := a.parsers[0].add(textOf(n.list), n.finish != "")
	if l := a.chatWriter.logs(n); l != nil {
		a.logs = append(a.logs, l.Content...)
	}
	if text != "" {
		a.addText(text, n)
	}
	for _, c := range calls {
		a.addCall(c)
	}
	if n.finish == "" {
		return nil
	}
	if len(a.answer.Output) == 0 && a.item == nil { // an answer without a word is still a message
		a.begin(&responseItem{Type: "message", ID: newID("msg_"), Status: "in_progress", Role: "assistant"})
	}
	a.end()
	a.answer.Status = "completed"
	if n.finish == "length" && a.answer.MaxTokens != nil { // a context that is full is nobody's limit
		a.answer.Status, a.answer.Incomplete = "incomplete", map[string]string{"reason": "max_output_tokens"}
		a.answer.Output[len(a.answer.Output)-1].Status = "incomplete"
	}
	return nil
}

// place is where the item at work stands.
func (a *responseWriter) place(v map[string]any) map[string]any {
	v["item_id"], v["output_index"] = a.item.ID, len(a.answer.Output)
	if a.item.Type == "message" {
		v["content_index"] = 0
	}
	return v
}

// begin starts an item.
func (a *responseWriter) begin(i *responseItem) {
	a.end()
	a.item = i
	a.tell("response.output_item.added", map[string]any{"output_index": len(a.answer.Output), "item": i})
	if i.Type == "message" {
		a.tell("response.content_part.added", a.place(map[string]any{"part": textPart("", nil)}))
	}
}

func (a *responseWriter) addText(text string, n news) {
	if a.item == nil || a.item.Type != "message" {
		a.begin(&responseItem{Type: "message", ID: newID("msg_"), Status: "in_progress", Role: "assistant"})
	}
	a.text.WriteString(text)
	logs := []chatLogProb{}
	if l := a.chatWriter.logs(n); l != nil {
		logs = l.Content
	}
	a.tell("response.output_text.delta", a.place(map[string]any{"delta": text, "logprobs": logs}))
}

func (a *responseWriter) addCall(c toolCall) {
	if c.ID != "" {
		empty := ""
		a.begin(&responseItem{Type: "function_call", ID: newID("fc_"), Status: "in_progress", CallID: c.ID, Name: c.Function.Name, Arguments: &empty})
	}
	if c.Function.Arguments == "" {
		return
	}
	*a.item.Arguments += c.Function.Arguments
	a.tell("response.function_call_arguments.delta", a.place(map[string]any{"delta": c.Function.Arguments}))
}

// end completes the item at work.
func (a *responseWriter) end() {
	if a.item == nil {
		return
	}
	a.item.Status = "completed"
	if a.item.Type == "message" {
		part := textPart(a.text.String(), a.logs)
		a.item.Content = []responsePart{part}
		a.tell("response.output_text.done", a.place(map[string]any{"text": part.Text, "logprobs": part.LogProbs}))
		a.tell("response.content_part.done", a.place(map[string]any{"part": part}))
		a.text.Reset()
		a.logs = nil
	} else {
		a.tell("response.function_call_arguments.done", a.place(map[string]any{"arguments": *a.item.Arguments, "name": a.item.Name}))
	}
	a.tell("response.output_item.done", map[string]any{"output_index": len(a.answer.Output), "item": a.item})
	a.answer.Output = append(a.answer.Output, a.item)
	a.item = nil
}

// complete fills in what is known in the end.
func (a *responseWriter) complete() response {
	a.answer.Usage = &responseUsage{a.usage.Prompt, map[string]int{"cached_tokens": a.usage.Details.Cached}, a.usage.Completion, map[string]int{"reasoning_tokens": 0}, a.usage.Total}
	a.answer.Routing = a.routed(0)
	return a.answer
}

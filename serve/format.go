package serve

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/seed2fbf7788/switchyard/serve/engine"
	"github.com/seed2fbf7788/switchyard/serve/grammar"
)

// output says what the text of an answer must be.
type output struct {
	kind   string // "": any text; object, schema, call, auto
	schema json.RawMessage
	calls  []grammar.Tool
	param  string // that asked for it, for errors
}

// format reads response_format.
func (p *params) format(f *fields) {
	r, ok := f.sub("response_format")
	if !ok {
		return
	}
	p.readFormat(f, r, "response_format")
}

// readFormat reads a format's object; /v1/responses has the members of json_schema beside the type.
func (p *params) readFormat(f, r *fields, param string) {
	kind := r.str("type", "")
	switch {
	case r.err != nil:
	case kind == "text":
	case kind == "json_object":
		p.out = output{kind: "object", param: param}
	case kind == "json_schema":
		s := r
		if r.has("json_schema") || param == "response_format" {
			if s, _ = r.sub("json_schema"); s == nil {
				r.bad("json_schema", "it is required")
				break
			}
		}
		p.out = output{kind: "schema", param: param, schema: json.RawMessage("{}")}
		s.decode("schema", "a JSON schema", &p.out.schema)
		s.str("name", "")
		s.str("description", "")
		s.bool("strict", false)
		if err := s.done(); err != nil {
			f.fail(asAPI(err))
		}
	default:
		r.bad("type", "want text, json_object or json_schema, found %q", clip(kind, 40))
	}
	if err := r.done(); err != nil {
		f.fail(asAPI(err))
	}
}

// callOutput is the output that tools and tool_choice ask for.
func (p *chatParams) callOutput(f *fields) {
	if p.choice_.mode == "none" {
		return
	}
	if p.out.kind != "" && p.choice_.mode == "required" {
		f.bad("tool_choice", "a forced call leaves no room for response_format")
	}
	if p.out.kind != "" {
		return // the format holds; nothing is called
	}
	p.out = output{kind: "auto", param: "tools"}
	if p.choice_.mode == "required" {
		p.out.kind = "call"
	}
	for _, t := range p.tools {
		if p.choice_.name == "" || p.choice_.name == t.Function.Name {
			p.out.calls = append(p.out.calls, grammar.Tool{Name: t.Function.Name, Parameters: t.Function.Parameters})
		}
	}
}

// grammar compiles what the output must be, nil where it may be anything.
func (p *params) grammar(s *Server, l *live) (*grammar.Grammar, error) {
	if p.out.kind == "" {
		return nil, nil
	}
	start := time.Now()
	v, err := l.vocabulary()
	if err != nil {
		return nil, err
	}
	var g *grammar.Grammar
	switch p.out.kind {
	case "object":
		g, err = v.Object()
	case "schema":
		g, err = v.Schema(p.out.schema)
	default:
		g, err = v.Calls(p.out.calls)
	}
	s.metrics.compile.WithLabelValues(l.name).Observe(time.Since(start).Seconds())
	if errors.Is(err, grammar.ErrSchema) {
		e := badRequest(p.out.param, "Invalid schema for '%s': %s.", p.out.param, strings.TrimPrefix(err.Error(), grammar.ErrSchema.Error()+": "))
		e.Code = "invalid_json_schema"
		return nil, e
	}
	return g, err
}

// room refuses a limit that the shortest answer exceeds.
func (p *params) room(g *grammar.Grammar, limit int) error {
	if g == nil || p.out.kind == "auto" || g.Least() <= limit {
		return nil
	}
	e := badRequest("max_tokens", "The shortest answer that '%s' allows takes up to %d tokens; max_tokens and the context leave %d.", p.out.param, g.Least(), limit)
	e.Code = "output_too_short"
	return e
}

// constraint makes the constraint of one choice, nil where nothing constrains it.
func (p *params) constraint(g *grammar.Grammar) engine.Constraint {
	switch {
	case g == nil:
		return nil
	case p.out.kind == "auto":
		return g.Within(toolOpen, toolClose)
	}
	return g.New()
}

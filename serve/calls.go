package serve

import (
	"encoding/json"
	"strings"

	"github.com/seed2fbf7788/switchyard/serve/engine"
)

// callParser finds tool calls in the text of one choice as it comes. Text outside of calls is content; what may be the
// beginning of a call is held back until that is known. With forced, all of the text is one call without marks.
//
// A call is {"name":"NAME","arguments":{…}}; its arguments are handed on while they come.
type callParser struct {
	known  map[string]bool // names of the tools; empty: everything is content
	forced bool
	calls  int    // complete or begun
	held   string // not decided yet
	inside bool   // within a call
	named  bool   // its name has been told
	args   jsonScan
}

// parser makes the parser that fits the request.
func (p *chatParams) parser() callParser {
	c := callParser{known: map[string]bool{}}
	if p.choice_.mode == "none" {
		return c
	}
	for _, t := range p.tools {
		c.known[t.Function.Name] = true
	}
	c.forced = p.choice_.mode == "required"
	c.inside = c.forced
	return c
}

func textOf(list []engine.Token) string {
	var b strings.Builder
	for _, t := range list {
		b.WriteString(t.Text)
	}
	return b.String()
}

// add takes more text and returns what it adds to the content and to the calls. end says that nothing follows.
func (c *callParser) add(text string, end bool) (content string, calls []toolCall) {
	if len(c.known) == 0 {
		return text, nil
	}
	c.held += text
	for {
		if !c.inside {
			at := strings.Index(c.held, toolOpen)
			if at < 0 {
				keep := overlapEnd(c.held, toolOpen)
				if end {
					keep = 0
				}
				content += c.held[:len(c.held)-keep]
				c.held = c.held[len(c.held)-keep:]
				return content, calls
			}
			content += c.held[:at]
			c.held, c.inside = c.held[at+len(toolOpen):], true
		}
		more, done := c.call()
		calls = append(calls, more...)
		if !done {
			if end && !c.named && !c.forced { // never became a call: it is text
				content += toolOpen + c.held
				c.held = ""
			}
			return content, calls
		}
	}
}

// call reads on in a call; done says that it is complete and the text behind it is left in held.
func (c *callParser) call() (out []toolCall, done bool) {
	if !c.named {
		name, at, ok := callHead(c.held)
		if !ok || !c.known[name] {
			return nil, false
		}
		c.named, c.held, c.args = true, c.held[at:], jsonScan{}
		c.calls++
		out = append(out, c.delta("", name))
	}
	if n := c.args.feed(c.held); n > 0 {
		if len(out) == 0 {
			out = append(out, c.delta("", ""))
		}
		out[0].Function.Arguments += c.held[:n] // a chunk tells of a call once
		c.held = c.held[n:]
	}
	if !c.args.done || c.forced {
		return out, false
	}
	_, rest, ok := strings.Cut(c.held, toolClose)
	if ok {
		c.held, c.inside, c.named = rest, false, false
	}
	return out, ok
}

// jsonScan finds the end of one JSON object or list that comes in pieces.
type jsonScan struct {
	depth        int
	quoted, back bool // within a string; behind a backslash
	done         bool
}

// feed takes more text and returns how many bytes of it belong to the value.
func (s *jsonScan) feed(text string) int {
	for i := range len(text) {
		if s.done {
			return i
		}
		switch b := text[i]; {
		case s.back:
			s.back = false
		case s.quoted:
			s.back, s.quoted = b == '\\', b != '"'
		case b == '"':
			s.quoted = true
		case b == '{' || b == '[':
			s.depth++
		case b == '}' || b == ']':
			s.depth--
		}
		s.done = s.depth <= 0 && !s.quoted
	}
	return len(text)
}

// overlapEnd is the length of the longest end of text that is a proper beginning of mark.
func overlapEnd(text, mark string) int {
	for n := min(len(text), len(mark)-1); n > 0; n-- {
		if strings.HasSuffix(text, mark[:n]) {
			return n
		}
	}
	return 0
}

// delta is a part of the call at work: a name with a new id, or arguments.
func (c *callParser) delta(arguments, name string) toolCall {
	i := c.calls - 1
	t := toolCall{Index: &i}
	t.Function.Arguments = arguments
	if name != "" {
		t.ID, t.Type, t.Function.Name = newID("call_"), "function", name
	}
	return t
}

// joinCalls makes whole calls of their parts.
func joinCalls(parts []toolCall) []toolCall {
	var out []toolCall
	for _, p := range parts {
		if p.ID == "" {
			out[len(out)-1].Function.Arguments += p.Function.Arguments
			continue
		}
		p.Index = nil
		out = append(out, p)
	}
	return out
}

// callHead reads {"name":"NAME","arguments": with blanks anywhere, and says where the arguments begin.
func callHead(text string) (name string, at int, ok bool) {
	rest := strings.TrimLeft(text, " \t\r\n")
	for _, part := range []string{"{", `"name"`, ":"} {
		if rest, ok = strings.CutPrefix(rest, part); !ok {
			return "", 0, false
		}
		rest = strings.TrimLeft(rest, " \t\r\n")
	}
	dec := json.NewDecoder(strings.NewReader(rest))
	if t, err := dec.Token(); err != nil {
		return "", 0, false
	} else if name, ok = t.(string); !ok {
		return "", 0, false
	}
	rest = rest[dec.InputOffset():]
	for _, part := range []string{",", `"arguments"`, ":"} {
		rest = strings.TrimLeft(rest, " \t\r\n")
		if rest, ok = strings.CutPrefix(rest, part); !ok {
			return "", 0, false
		}
	}
	rest = strings.TrimLeft(rest, " \t\r\n")
	return name, len(text) - len(rest), rest != ""
}

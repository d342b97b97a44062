package jinja

import (
	"fmt"
	"slices"
	"strconv"
)

// maxDepth bounds the nesting of expressions and blocks in a template.
const maxDepth = 200

type parser struct {
	toks  []token
	pos   int
	depth int
	loops int // for loops around
}

// Template is a parsed template. It does not change and is safe for concurrent use.
type Template struct{ body block }

// maxSource bounds the text of a template in bytes.
const maxSource = 4 << 20

// Parse reads a template. Errors are of type *Error.
func Parse(src string) (*Template, error) {
	if len(src) > maxSource {
		return nil, errorf("TemplateSyntaxError", "template of %d bytes, at most %d are supported", len(src), maxSource)
	}
	toks, err := lex(src)
	if err != nil {
		return nil, err
	}
	p := &parser{toks: toks}
	body, _, err := p.block()
	if err != nil {
		return nil, err
	}
	return &Template{body}, nil
}

func (p *parser) cur() token { return p.toks[p.pos] }

func (p *parser) fail(format string, args ...any) error {
	return &Error{Kind: "TemplateSyntaxError", Message: fmt.Sprintf(format, args...), Line: p.cur().line}
}

func (p *parser) is(kind tokenKind, text string) bool {
	t := p.cur()
	return t.kind == kind && t.text == text
}

func (p *parser) acceptOp(op string) bool {
	if p.is(tokOp, op) {
		p.pos++
		return true
	}
	return false
}

func (p *parser) acceptName(name string) bool {
	if p.is(tokName, name) {
		p.pos++
		return true
	}
	return false
}

func (p *parser) expectOp(op string) error {
	if !p.acceptOp(op) {
		return p.fail("expected token '%s', got '%s'", op, p.describe())
	}
	return nil
}

func (p *parser) describe() string {
	switch t := p.cur(); t.kind {
	case tokEOF:
		return "end of template"
	case tokBlockEnd:
		return "end of statement block"
	case tokVarEnd:
		return "end of print statement"
	default:
		return t.text
	}
}

func (p *parser) ident() (string, error) {
	if t := p.cur(); t.kind == tokName {
		p.pos++
		return t.text, nil
	}
	return "", p.fail("expected token 'name', got '%s'", p.describe())
}

func (p *parser) blockEnd() error {
	if p.cur().kind != tokBlockEnd {
		return p.fail("expected token 'end of statement block', got '%s'", p.describe())
	}
	p.pos++
	return nil
}

// enter guards the stack.
func (p *parser) enter() (func(), error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail("nested too deeply")
	}
	return func() { p.depth-- }, nil
}

// block parses statements up to a tag named in until, which is consumed up to its name and returned.
func (p *parser) block(until ...string) (block, string, error) {
	leave, err := p.enter()
	if err != nil {
		return nil, "", err
	}
	defer leave()
	var out block
	for {
		t := p.cur()
		p.pos++
		switch t.kind {
		case tokEOF:
			p.pos--
			if len(until) > 0 {
				return nil, "", p.fail("Unexpected end of template. Jinja was looking for the following tags: '%s'.", until[0])
			}
			return out, "", nil
		case tokData:
			out = append(out, data{t.text})
		case tokVarBegin:
			x, err := p.tuple(true)
			if err != nil {
				return nil, "", err
			}
			if p.cur().kind != tokVarEnd {
				return nil, "", p.fail("expected token 'end of print statement', got '%s'", p.describe())
			}
			p.pos++
			out = append(out, output{x})
		case tokBlockBegin:
			tag, err := p.ident()
			if err != nil {
				return nil, "", err
			}
			if slices.Contains(until, tag) {
				return out, tag, nil
			}
			s, err := p.statement(tag)
			if err != nil {
				return nil, "", err
			}
			out = append(out, s)
		}
	}
}

func (p *parser) body(end string) (block, error) {
	if err := p.blockEnd(); err != nil {
		return nil, err
	}
	b, _, err := p.block(end)
	if err == nil {
		p.acceptName(end)
		err = p.blockEnd()
	}
	return b, err
}

// statement parses the tag whose name was read.
func (p *parser) statement(tag string) (stmt, error) {
	switch tag {
	case "if":
		return p.ifStmt()
	case "for":
		return p.forStmt()
	case "set":
		return p.set()
	case "macro":
		name, err := p.ident()
		if err != nil {
			return nil, err
		}
		sig, err := p.signature()
		if err != nil {
			return nil, err
		}
		b, err := p.body("endmacro")
		return macroStmt{name, sig, b}, err
	case "call":
		return p.callStmt()
	case "filter":
		fs, err := p.filterChain()
		if err != nil {
			return nil, err
		}
		b, err := p.body("endfilter")
		return filterStmt{fs, b}, err
	case "with":
		return p.with()
	case "generation":
		b, err := p.body("endgeneration")
		return scopeStmt{b}, err
	case "break", "continue":
		if p.loops == 0 {
			return nil, p.fail("'%s' outside loop", tag)
		}
		return jumpStmt{map[string]signal{"break": breaks, "continue": continues}[tag]}, p.blockEnd()
	case "do":
		x, err := p.tuple(true)
		if err == nil {
			err = p.blockEnd()
		}
		return doStmt{x}, err
	}
	return nil, p.fail("Encountered unknown tag '%s'.", tag)
}

func (p *parser) ifStmt() (stmt, error) {
	leave, err := p.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	cond, err := p.tuple(false)
	if err != nil {
		return nil, err
	}
	if err := p.blockEnd(); err != nil {
		return nil, err
	}
	s := ifStmt{cond: cond}
	var tag string
	if s.yes, tag, err = p.block("elif", "else", "endif"); err != nil {
		return nil, err
	}
	switch tag {
	case "elif":
		no, err := p.ifStmt()
		s.no = block{no}
		return s, err
	case "else":
		if err := p.blockEnd(); err != nil {
			return nil, err
		}
		if s.no, _, err = p.block("endif"); err != nil {
			return nil, err
		}
	}
	return s, p.blockEnd()
}

func (p *parser) forStmt() (stmt, error) {
	var s forStmt
	var err error
	if s.target, err = p.target(); err != nil {
		return nil, err
	}
	if !p.acceptName("in") {
		return nil, p.fail("expected token 'in', got '%s'", p.describe())
	}
	if s.over, err = p.tuple(false); err != nil {
		return nil, err
	}
	if p.acceptName("if") {
		if s.cond, err = p.expr(); err != nil {
			return nil, err
		}
	}
	s.recursive = p.acceptName("recursive")
	if err := p.blockEnd(); err != nil {
		return nil, err
	}
	var tag string
	p.loops++
	s.body, tag, err = p.block("endfor", "else")
	if p.loops--; err != nil {
		return nil, err
	}
	if tag == "else" {
		if err := p.blockEnd(); err != nil {
			return nil, err
		}
		if s.els, _, err = p.block("endfor"); err != nil {
			return nil, err
		}
	}
	return s, p.blockEnd()
}

// target parses what is assigned to.
func (p *parser) target() (target, error) {
	var all []target
	many := false
	for {
		if p.acceptOp("(") {
			t, err := p.target()
			if err != nil {
				return t, err
			}
			if err := p.expectOp(")"); err != nil {
				return t, err
			}
			all = append(all, t)
		} else {
			id, err := p.ident()
			if err != nil {
				return target{}, err
			}
			t := target{name: id}
			if p.acceptOp(".") {
				if t.attr, err = p.ident(); err != nil {
					return t, err
				}
			}
			all = append(all, t)
		}
		if !p.acceptOp(",") {
			break
		}
		many = true
		if p.is(tokName, "in") || p.is(tokOp, "=") {
			break
		}
	}
	if !many {
		return all[0], nil
	}
	return target{many: all}, nil
}

func (p *parser) set() (stmt, error) {
	t, err := p.target()
	if err != nil {
		return nil, err
	}
	if p.acceptOp("=") {
		x, err := p.tuple(true)
		if err == nil {
			err = p.blockEnd()
		}
		return setStmt{t, x}, err
	}
	var fs []filterExpr
	if p.acceptOp("|") {
		if fs, err = p.filterChain(); err != nil {
			return nil, err
		}
	}
	b, err := p.body("endset")
	return setBlock{t, fs, b}, err
}

func (p *parser) with() (stmt, error) {
	var s withStmt
	for p.cur().kind != tokBlockEnd {
		if len(s.targets) > 0 {
			if err := p.expectOp(","); err != nil {
				return nil, err
			}
		}
		id, err := p.ident()
		if err != nil {
			return nil, err
		}
		if err := p.expectOp("="); err != nil {
			return nil, err
		}
		x, err := p.expr()
		if err != nil {
			return nil, err
		}
		s.targets, s.vals = append(s.targets, target{name: id}), append(s.vals, x)
	}
	var err error
	s.body, err = p.body("endwith")
	return s, err
}

func (p *parser) callStmt() (stmt, error) {
	var s callStmt
	var err error
	if p.is(tokOp, "(") {
		if s.sig, err = p.signature(); err != nil {
			return nil, err
		}
	}
	x, err := p.expr()
	if err != nil {
		return nil, err
	}
	c, ok := x.(*call)
	if !ok {
		return nil, p.fail("expected call")
	}
	s.call = c
	s.body, err = p.body("endcall")
	return s, err
}

func (p *parser) signature() (signature, error) {
	var s signature
	if err := p.expectOp("("); err != nil {
		return s, err
	}
	for !p.acceptOp(")") {
		if len(s.params) > 0 {
			if err := p.expectOp(","); err != nil {
				return s, err
			}
			if p.acceptOp(")") {
				break
			}
		}
		id, err := p.ident()
		if err != nil {
			return s, err
		}
		var d expr
		if p.acceptOp("=") {
			if d, err = p.expr(); err != nil {
				return s, err
			}
		}
		s.params, s.defaults = append(s.params, id), append(s.defaults, d)
	}
	return s, nil
}

// filterChain parses name(args)|name(args)… without anything before.
func (p *parser) filterChain() ([]filterExpr, error) {
	var out []filterExpr
	for {
		f, err := p.filter(nil)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
		if !p.acceptOp("|") {
			return out, nil
		}
	}
}

func parseInt(s string) (any, error) {
	i, err := strconv.ParseInt(s, 0, 64)
	if err != nil {
		i, err = strconv.ParseInt(s, 10, 64)
	}
	return i, err
}

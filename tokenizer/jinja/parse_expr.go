package jinja

import (
	"slices"
	"strconv"
)

// tuple parses expressions separated by commas: one alone is itself. conds allows an inline if.
func (p *parser) tuple(conds bool) (expr, error) {
	one := p.expr
	if !conds {
		one = p.or
	}
	first, err := one()
	if err != nil || !p.is(tokOp, ",") {
		return first, err
	}
	items := []expr{first}
	for p.acceptOp(",") {
		if t := p.cur(); t.kind == tokVarEnd || t.kind == tokBlockEnd || t.kind == tokOp && (t.text == ")" || t.text == "]") {
			break
		}
		x, err := one()
		if err != nil {
			return nil, err
		}
		items = append(items, x)
	}
	return listExpr{items, true}, nil
}

// expr parses a whole expression with inline ifs.
func (p *parser) expr() (expr, error) {
	leave, err := p.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	x, err := p.or()
	for n := 0; err == nil && p.acceptName("if"); n++ {
		if n > maxDepth {
			return nil, p.fail("nested too deeply")
		}
		t := ternary{yes: x}
		if t.cond, err = p.or(); err != nil {
			return nil, err
		}
		if p.acceptName("else") {
			t.no, err = p.expr()
		}
		x = t
	}
	return x, err
}

// left parses a row of operators that bind to the left.
func (p *parser) left(kind tokenKind, sub func() (expr, error), ops ...string) (expr, error) {
	x, err := sub()
	for n := 0; err == nil; n++ {
		t := p.cur()
		if t.kind != kind || !slices.Contains(ops, t.text) {
			break
		}
		if n > 4*maxDepth {
			return nil, p.fail("expression too long")
		}
		p.pos++
		var y expr
		y, err = sub()
		x = binary{t.text, x, y}
	}
	return x, err
}

func (p *parser) or() (expr, error)  { return p.left(tokName, p.and, "or") }
func (p *parser) and() (expr, error) { return p.left(tokName, p.not, "and") }

func (p *parser) not() (expr, error) {
	if !p.acceptName("not") {
		return p.compare()
	}
	leave, err := p.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	x, err := p.not()
	return unary{"not", x}, err
}

func (p *parser) compare() (expr, error) {
	x, err := p.sum()
	if err != nil {
		return nil, err
	}
	c := compare{first: x}
	for {
		t := p.cur()
		switch {
		case t.kind == tokOp && slices.Contains([]string{"==", "!=", "<", "<=", ">", ">="}, t.text):
			p.pos++
			c.ops = append(c.ops, t.text)
		case p.acceptName("in"):
			c.ops = append(c.ops, "in")
		case t.kind == tokName && t.text == "not" && p.toks[p.pos+1].kind == tokName && p.toks[p.pos+1].text == "in":
			p.pos += 2
			c.ops = append(c.ops, "not in")
		default:
			if len(c.ops) == 0 {
				return x, nil
			}
			return c, nil
		}
		y, err := p.sum()
		if err != nil {
			return nil, err
		}
		c.rest = append(c.rest, y)
	}
}

func (p *parser) sum() (expr, error) { return p.left(tokOp, p.concat, "+", "-") }

func (p *parser) concat() (expr, error) {
	x, err := p.product()
	if err != nil || !p.is(tokOp, "~") {
		return x, err
	}
	c := concat{parts: []expr{x}}
	for p.acceptOp("~") {
		y, err := p.product()
		if err != nil {
			return nil, err
		}
		c.parts = append(c.parts, y)
	}
	return c, nil
}

func (p *parser) product() (expr, error) {
	return p.left(tokOp, p.power, "*", "/", "//", "%")
}

// power parses a ** b, which Jinja joins from the left and whose base takes its sign along.
func (p *parser) power() (expr, error) {
	x, err := p.unary(true)
	for err == nil && p.acceptOp("**") {
		var y expr
		if y, err = p.unary(true); err == nil {
			x = binary{"**", x, y}
		}
	}
	return x, err
}

// unary parses signs, postfixes and, where filters is set, filters and tests.
func (p *parser) unary(filters bool) (expr, error) {
	leave, err := p.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	var x expr
	switch t := p.cur(); {
	case p.acceptOp("-") || p.acceptOp("+"):
		x, err = p.unary(false)
		x = unary{t.text, x}
	default:
		x, err = p.primary()
	}
	if err != nil {
		return nil, err
	}
	if x, err = p.postfix(x); err != nil {
		return nil, err
	}
	if filters {
		return p.filters(x)
	}
	return x, nil
}

func (p *parser) primary() (expr, error) {
	t := p.cur()
	p.pos++
	switch t.kind {
	case tokName:
		switch t.text {
		case "true", "True":
			return constant{true}, nil
		case "false", "False":
			return constant{false}, nil
		case "none", "None":
			return constant{nil}, nil
		}
		return name{t.text}, nil
	case tokString:
		s := t.text
		for p.cur().kind == tokString {
			s += p.cur().text
			p.pos++
		}
		return constant{s}, nil
	case tokInt:
		v, err := parseInt(t.text)
		if err != nil {
			return nil, p.fail("integer '%s' is out of range", t.text)
		}
		return constant{v}, nil
	case tokFloat:
		f, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			return nil, p.fail("bad number '%s'", t.text)
		}
		return constant{f}, nil
	case tokOp:
		switch t.text {
		case "(":
			if p.acceptOp(")") {
				return listExpr{tuple: true}, nil
			}
			x, err := p.tuple(true)
			if err != nil {
				return nil, err
			}
			return x, p.expectOp(")")
		case "[":
			items, err := p.items("]")
			return listExpr{items: items}, err
		case "{":
			return p.dict()
		}
	}
	p.pos--
	return nil, p.fail("unexpected '%s'", p.describe())
}

func (p *parser) items(end string) ([]expr, error) {
	var out []expr
	for !p.acceptOp(end) {
		if len(out) > 0 {
			if err := p.expectOp(","); err != nil {
				return nil, err
			}
			if p.acceptOp(end) {
				break
			}
		}
		x, err := p.expr()
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

func (p *parser) dict() (expr, error) {
	var d dictExpr
	for !p.acceptOp("}") {
		if len(d.keys) > 0 {
			if err := p.expectOp(","); err != nil {
				return nil, err
			}
			if p.acceptOp("}") {
				break
			}
		}
		k, err := p.expr()
		if err != nil {
			return nil, err
		}
		if err := p.expectOp(":"); err != nil {
			return nil, err
		}
		v, err := p.expr()
		if err != nil {
			return nil, err
		}
		d.keys, d.vals = append(d.keys, k), append(d.vals, v)
	}
	return d, nil
}

// postfix parses attributes, subscripts and calls.
func (p *parser) postfix(x expr) (expr, error) {
	for n := 0; ; n++ {
		if n > maxDepth {
			return nil, p.fail("expression too long")
		}
		switch {
		case p.acceptOp("."):
			t := p.cur()
			p.pos++
			switch t.kind {
			case tokName:
				x = attribute{x, t.text}
			case tokInt:
				v, err := parseInt(t.text)
				if err != nil {
					return nil, p.fail("bad subscript")
				}
				x = item{x, constant{v}}
			default:
				return nil, p.fail("expected name or number")
			}
		case p.acceptOp("["):
			y, err := p.subscript(x)
			if err != nil {
				return nil, err
			}
			x = y
		case p.is(tokOp, "("):
			c := &call{fn: x}
			if err := p.arguments(c); err != nil {
				return nil, err
			}
			x = c
		default:
			return x, nil
		}
	}
}

// subscript parses what follows an opening bracket.
func (p *parser) subscript(x expr) (expr, error) {
	var parts [3]expr
	n, colon := 0, false
	for !p.acceptOp("]") {
		if p.acceptOp(":") {
			colon = true
			if n++; n > 2 {
				return nil, p.fail("bad slice")
			}
			continue
		}
		y, err := p.tuple(true)
		if err != nil {
			return nil, err
		}
		if parts[n] != nil {
			return nil, p.fail("expected token ']', got '%s'", p.describe())
		}
		parts[n] = y
	}
	if colon {
		return sliceExpr{x, parts[0], parts[1], parts[2]}, nil
	}
	if parts[0] == nil {
		return nil, p.fail("expected subscript expression")
	}
	return item{x, parts[0]}, nil
}

// arguments parses (a, *b, c=d, **e).
func (p *parser) arguments(c *call) error {
	if err := p.expectOp("("); err != nil {
		return err
	}
	for first := true; !p.acceptOp(")"); first = false {
		if !first {
			if err := p.expectOp(","); err != nil {
				return err
			}
			if p.acceptOp(")") {
				break
			}
		}
		var err error
		switch {
		case p.acceptOp("**"):
			c.stars, err = p.expr()
		case p.acceptOp("*"):
			c.star, err = p.expr()
		case p.cur().kind == tokName && p.toks[p.pos+1].kind == tokOp && p.toks[p.pos+1].text == "=":
			c.names = append(c.names, p.cur().text)
			p.pos += 2
			var x expr
			x, err = p.expr()
			c.values = append(c.values, x)
		default:
			var x expr
			x, err = p.expr()
			c.args = append(c.args, x)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// filters parses what follows an operand: |filter, is test, and calls of the result.
func (p *parser) filters(x expr) (expr, error) {
	for n := 0; ; n++ {
		if n > maxDepth {
			return nil, p.fail("expression too long")
		}
		var err error
		switch {
		case p.acceptOp("|"):
			x, err = p.filter(x)
		case p.acceptName("is"):
			x, err = p.test(x)
		case p.is(tokOp, "("):
			c := &call{fn: x}
			err = p.arguments(c)
			x = c
		default:
			return x, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (p *parser) filter(x expr) (filterExpr, error) {
	id, err := p.ident()
	if err != nil {
		return filterExpr{}, err
	}
	f := filterExpr{of: x, name: id, fn: findFilter(id)}
	if f.fn == nil {
		return f, p.fail("No filter named '%s'.", id)
	}
	if p.is(tokOp, "(") {
		err = p.arguments(&f.args)
	}
	return f, err
}

func (p *parser) test(x expr) (expr, error) {
	not := p.acceptName("not")
	id, err := p.ident()
	if err != nil {
		return nil, err
	}
	t := testExpr{of: x, name: id, fn: findTest(id)}
	if t.fn == nil {
		return nil, p.fail("No test named '%s'.", id)
	}
	switch k := p.cur(); {
	case p.is(tokName, "is"):
		return nil, p.fail("You cannot chain multiple tests with is")
	case p.is(tokOp, "("):
		err = p.arguments(&t.args)
	case k.kind == tokName && !slices.Contains([]string{"else", "or", "and", "if", "is", "in", "not", "recursive"}, k.text),
		k.kind == tokString, k.kind == tokInt, k.kind == tokFloat, p.is(tokOp, "["), p.is(tokOp, "{"):
		var arg expr
		if arg, err = p.primary(); err == nil {
			arg, err = p.postfix(arg)
		}
		t.args.args = []expr{arg}
	}
	if not {
		return unary{"not", t}, err
	}
	return t, err
}

package jinja

// expr is an expression.
type expr interface{ eval(c *context) (any, error) }

type (
	constant  struct{ v any }
	name      struct{ id string }
	attribute struct {
		of   expr
		name string
	}
	item      struct{ of, key expr }
	sliceExpr struct{ of, from, to, step expr } // nil where left out
	call      struct {
		fn     expr
		args   []expr
		names  []string // keyword arguments, beside values
		values []expr
		star   expr // *args
		stars  expr // **kwargs
	}
	filterExpr struct {
		of   expr // nil: the body of a filter block
		name string
		fn   filterFunc
		args call
	}
	testExpr struct {
		of   expr
		name string
		fn   testFunc
		args call
	}
	unary struct {
		op string
		x  expr
	}
	binary struct {
		op   string
		x, y expr
	}
	compare struct {
		first expr
		ops   []string
		rest  []expr
	}
	ternary  struct{ yes, cond, no expr } // no may be nil
	listExpr struct {
		items []expr
		tuple bool
	}
	dictExpr struct{ keys, vals []expr }
	concat   struct{ parts []expr }
)

// stmt is a statement; the signal tells of break and continue.
type stmt interface {
	run(c *context) (signal, error)
}

type signal uint8

const (
	next signal = iota
	breaks
	continues
)

type (
	output struct{ x expr }
	data   struct{ text string }
	block  []stmt
	ifStmt struct {
		cond    expr
		yes, no block
	}
	forStmt struct {
		target    target
		over      expr
		cond      expr // nil where left out
		body, els block
		recursive bool
	}
	setStmt struct {
		target target
		val    expr
	}
	setBlock struct {
		target target
		filter []filterExpr
		body   block
	}
	macroStmt struct {
		name string
		sig  signature
		body block
	}
	callStmt struct {
		call *call
		sig  signature
		body block
	}
	filterStmt struct {
		filters []filterExpr
		body    block
	}
	withStmt struct {
		targets []target
		vals    []expr
		body    block
	}
	scopeStmt struct{ body block } // {% generation %}: its own scope
	doStmt    struct{ x expr }
	jumpStmt  struct{ to signal }
)

// signature is the parameters of a macro.
type signature struct {
	params   []string
	defaults []expr // beside params, nil where there is none
}

// target is what {% set %} and {% for %} assign to: a name, ns.attr or several.
type target struct {
	name string
	attr string // not empty: name is a namespace
	many []target
}

package jinja

import (
	"sort"
	"strings"
)

// listFilter returns the filters on sequences.
func listFilter(name string) filterFunc {
	return map[string]filterFunc{
		"list":    onItems(func(_ *context, items []any, _ args) (any, error) { return &List{Items: items}, nil }),
		"first":   onItems(func(_ *context, items []any, _ args) (any, error) { return end(items, 0), nil }),
		"last":    onItems(func(_ *context, items []any, _ args) (any, error) { return end(items, len(items)-1), nil }),
		"join":    onItems(filterJoin),
		"sort":    onItems(filterSort),
		"unique":  onItems(filterUnique),
		"reverse": filterReverse,
		"map":     onItems(filterMap),
		"select":  onItems(pick(false, true)), "reject": onItems(pick(false, false)),
		"selectattr": onItems(pick(true, true)), "rejectattr": onItems(pick(true, false)),
		"min": onItems(extreme("<")), "max": onItems(extreme(">")),
		"sum": onItems(filterSum), "batch": onItems(filterBatch), "groupby": onItems(filterGroup),
		"slice": onItems(filterSlice),
		"items": func(_ *context, v any, _ args) (any, error) {
			switch d := v.(type) {
			case *Dict:
				return d.items(), nil
			case *undefined:
				return &List{}, nil
			}
			return nil, typeErrorf("Can only get item pairs from a mapping.")
		},
		"dictsort": filterDictSort,
	}[name]
}

func end(items []any, i int) any {
	if len(items) == 0 {
		return &undefined{"No first item, sequence was empty."}
	}
	return items[i]
}

// path reads a.b.0 of an item.
func path(v any, name any) (any, error) {
	s, ok := name.(string)
	if !ok {
		return getItem(v, name)
	}
	for _, part := range strings.Split(s, ".") {
		var key any = part
		if i, err := parseInt(part); err == nil && part != "" && part[0] >= '0' && part[0] <= '9' {
			key = i
		}
		var err error
		if v, err = getItem(v, key); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func filterJoin(c *context, items []any, a args) (any, error) {
	attr, has := a.get(1, "attribute")
	sep := a.str(0, "d", "")
	var b strings.Builder
	for i, it := range items {
		if has && attr != nil {
			var err error
			if it, err = path(it, attr); err != nil {
				return nil, err
			}
		}
		if i > 0 {
			b.WriteString(sep)
		}
		b.WriteString(str(it))
		if b.Len() > maxString {
			break
		}
	}
	return c.text(b.String())
}

// sortKey is what sort, unique, min and max compare: strings without case unless asked.
func sortKey(v any, attr any, caseful bool) (any, error) {
	if names, ok := attr.(string); ok && strings.Contains(names, ",") {
		key := &List{}
		for _, name := range strings.Split(names, ",") {
			k, err := sortKey(v, name, caseful)
			if err != nil {
				return nil, err
			}
			key.Items = append(key.Items, k)
		}
		return key, nil
	}
	if attr != nil {
		var err error
		if v, err = path(v, attr); err != nil {
			return nil, err
		}
	}
	if s, ok := v.(string); ok && !caseful {
		return strings.ToLower(s), nil
	}
	return v, nil
}

func sortBy(c *context, items []any, reverse, caseful bool, attr any) ([]any, error) {
	if err := c.spend(len(items) * 4); err != nil {
		return nil, err
	}
	type keyed struct{ key, v any }
	rows := make([]keyed, len(items))
	for i, it := range items {
		k, err := sortKey(it, attr, caseful)
		if err != nil {
			return nil, err
		}
		rows[i] = keyed{k, it}
	}
	var failed error
	sort.SliceStable(rows, func(i, j int) bool {
		a, b := rows[i].key, rows[j].key
		if reverse {
			a, b = b, a
		}
		n, err := order("<", a, b)
		if err != nil && failed == nil {
			failed = err
		}
		return n < 0
	})
	out := make([]any, len(rows))
	for i, r := range rows {
		out[i] = r.v
	}
	return out, failed
}

func filterSort(c *context, items []any, a args) (any, error) {
	out, err := sortBy(c, items, truthy(a.or(0, "reverse", false)), truthy(a.or(1, "case_sensitive", false)), a.or(2, "attribute", nil))
	return &List{Items: out}, err
}

func filterDictSort(c *context, v any, a args) (any, error) {
	d, ok := v.(*Dict)
	if !ok {
		return nil, typeErrorf("'%s' object is not a mapping", typeName(v))
	}
	by := int64(0)
	if a.str(1, "by", "key") == "value" {
		by = 1
	}
	out, err := sortBy(c, d.items().Items, truthy(a.or(2, "reverse", false)), truthy(a.or(0, "case_sensitive", false)), by)
	return &List{Items: out}, err
}

func filterUnique(c *context, items []any, a args) (any, error) {
	out := &List{}
	var seen []any
	for _, it := range items {
		k, err := sortKey(it, a.or(1, "attribute", nil), truthy(a.or(0, "case_sensitive", false)))
		if err != nil {
			return nil, err
		}
		if old, err := contains(c, &List{Items: seen}, k); err != nil || old {
			if err != nil {
				return nil, err
			}
			continue
		}
		seen = append(seen, k)
		out.Items = append(out.Items, it)
	}
	return out, nil
}

func filterReverse(c *context, v any, _ args) (any, error) {
	items, err := iterate(c, v)
	if err != nil {
		return nil, err
	}
	out := make([]any, len(items))
	for i, it := range items {
		out[len(items)-1-i] = it
	}
	if _, ok := v.(string); ok {
		return filterJoin(c, out, args{})
	}
	return &List{Items: out}, nil
}

func filterMap(c *context, items []any, a args) (any, error) {
	out := &List{}
	attr, byAttr := a.get(len(a.pos), "attribute")
	var fn filterFunc
	if !byAttr {
		if len(a.pos) == 0 {
			return nil, errorf("FilterArgumentError", "map requires a filter argument")
		}
		if fn = findFilter(str(a.pos[0])); fn == nil {
			return nil, errorf("TemplateRuntimeError", "No filter named %s.", repr(a.pos[0]))
		}
	}
	for _, it := range items {
		var v any
		var err error
		if byAttr {
			if v, err = path(it, attr); err == nil {
				if _, undef := v.(*undefined); undef {
					if d, ok := a.kw.Get("default"); ok {
						v = d
					}
				}
			}
		} else {
			v, err = fn(c, it, args{a.pos[1:], a.kw})
		}
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, v)
	}
	return out, c.spend(len(items))
}

// pick makes select, reject, selectattr and rejectattr.
func pick(byAttr, want bool) func(c *context, items []any, a args) (any, error) {
	return func(c *context, items []any, a args) (any, error) {
		pos := a.pos
		var attr any
		if byAttr {
			if len(pos) == 0 {
				return nil, errorf("FilterArgumentError", "Missing parameter for attribute name")
			}
			attr, pos = pos[0], pos[1:]
		}
		test := func(_ *context, v any, _ args) (bool, error) { return truthy(v), nil }
		if len(pos) > 0 {
			found := findTest(str(pos[0]))
			if found == nil {
				return nil, errorf("TemplateRuntimeError", "No test named %s.", repr(pos[0]))
			}
			test, pos = found, pos[1:]
		}
		out := &List{}
		for _, it := range items {
			v := it
			var err error
			if byAttr {
				if v, err = path(it, attr); err != nil {
					return nil, err
				}
			}
			ok, err := test(c, v, args{pos, a.kw})
			if err != nil {
				return nil, err
			}
			if ok == want {
				out.Items = append(out.Items, it)
			}
		}
		return out, c.spend(len(items))
	}
}

func extreme(op string) func(c *context, items []any, a args) (any, error) {
	return func(_ *context, items []any, a args) (any, error) {
		var best, bestKey any = end(items, 0), nil
		for i, it := range items {
			k, err := sortKey(it, a.or(1, "attribute", nil), truthy(a.or(0, "case_sensitive", false)))
			if err != nil {
				return nil, err
			}
			n := 0
			if i > 0 {
				if n, err = order(op, k, bestKey); err != nil {
					return nil, err
				}
			}
			if i == 0 || op == "<" && n < 0 || op == ">" && n > 0 {
				best, bestKey = it, k
			}
		}
		return best, nil
	}
}

func filterSum(c *context, items []any, a args) (any, error) {
	total := a.or(1, "start", int64(0))
	for _, it := range items {
		var err error
		if attr := a.or(0, "attribute", nil); attr != nil {
			if it, err = path(it, attr); err != nil {
				return nil, err
			}
		}
		if total, err = arith(c, "+", total, it); err != nil {
			return nil, err
		}
	}
	return total, nil
}

func filterBatch(_ *context, items []any, a args) (any, error) {
	n := int(a.int(0, "linecount", 1))
	fill := a.or(1, "fill_with", nil)
	if n < 1 || n > maxRange {
		return nil, errorf("ValueError", "batch needs a positive count")
	}
	out := &List{}
	for len(items) > 0 {
		k := min(n, len(items))
		row := append([]any{}, items[:k]...)
		for fill != nil && len(row) < n {
			row = append(row, fill)
		}
		out.Items = append(out.Items, &List{Items: row})
		items = items[k:]
	}
	return out, nil
}

func filterSlice(_ *context, items []any, a args) (any, error) {
	n := int(a.int(0, "slices", 1))
	fill := a.or(1, "fill_with", nil)
	if n < 1 || n > maxRange {
		return nil, errorf("ValueError", "slice needs a positive count")
	}
	out, extra, at := &List{}, len(items)%n, 0
	for i := range n {
		k := len(items) / n
		if i < extra {
			k++
		}
		row := append([]any{}, items[at:at+k]...)
		if fill != nil && i >= extra && extra > 0 {
			row = append(row, fill)
		}
		at += k
		out.Items = append(out.Items, &List{Items: row})
	}
	return out, nil
}

func filterGroup(c *context, items []any, a args) (any, error) {
	attr := a.or(0, "attribute", nil)
	sorted, err := sortBy(c, items, false, truthy(a.or(2, "case_sensitive", false)), attr)
	if err != nil {
		return nil, err
	}
	out := &List{}
	var last any
	for i, it := range sorted {
		k, err := path(it, attr)
		if err != nil {
			return nil, err
		}
		key, _ := sortKey(k, nil, false)
		if i == 0 || !equal(key, last) {
			out.Items = append(out.Items, &List{[]any{k, &List{}}, true, []string{"grouper", "list"}})
		}
		last = key
		group := out.Items[len(out.Items)-1].(*List).Items[1].(*List)
		group.Items = append(group.Items, it)
	}
	return out, nil
}

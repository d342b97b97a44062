package moe

import (
	"math"
	"strconv"
	"strings"
)

// change is what interventions do to one layer.
type change struct {
	edit   Edit
	bias   []expertBias
	gate   string // random, hash, roundrobin, replay, expertchoice, relu, softmoe: in place of the gate
	second string // another of them, which contradicts the first
	seed   uint64
	path   string // of a recording
	number float32
}

// be notes the gate that is to take the layer's place.
func (c *change) be(gate string) {
	if c.gate != "" && c.gate != gate {
		c.second = gate
		return
	}
	c.gate = gate
}

type expertBias struct {
	expert int
	add    float32
}

type interventionKey struct {
	allowed string
	set     func(c *change, v string) bool
}

const interventionNames = "bias, demote, drop, expertchoice, file, force, hash, noise, promote, random, relu, replay, roundrobin, shared, skip, softmoe, temp, threshold, topp"

func interventionKeys() map[string]interventionKey {
	list := func(at func(*Edit) *[]int32) interventionKey {
		return interventionKey{"L:E,E or E,E", func(c *change, v string) bool { return readExperts(at(&c.edit), v) }}
	}
	bounded := "P, or P,min=1,max=8"
	return map[string]interventionKey{
		"force":   list(func(e *Edit) *[]int32 { return &e.Force }),
		"drop":    list(func(e *Edit) *[]int32 { return &e.Drop }),
		"promote": list(func(e *Edit) *[]int32 { return &e.Promote }),
		"demote":  list(func(e *Edit) *[]int32 { return &e.Demote }),
		"bias":    {"L:E:x, E:x or off", readBias},
		"temp":    {"a number above 0", func(c *change, v string) bool { return readReal(&c.edit.Temp, v) && c.edit.Temp > 0 }},
		"skip": {"a number from 0 to 1", func(c *change, v string) bool {
			return readReal(&c.edit.Skip, v) && c.edit.Skip >= 0 && c.edit.Skip <= 1
		}},
		"noise": {"σ or σ,seed, σ from 0", readNoise},
		"topp": {bounded + ", P above 0 and at most 1", func(c *change, v string) bool {
			return readBounded(c, &c.edit.TopP, v) && c.edit.TopP > 0 && c.edit.TopP <= 1
		}},
		"threshold": {bounded, func(c *change, v string) bool {
			c.edit.Threshold = new(float32)
			return readBounded(c, c.edit.Threshold, v)
		}},
		"random":     {"a seed from 0", func(c *change, v string) bool { c.be("random"); return readSeed(&c.seed, v) }},
		"hash":       {"nothing or a seed from 0", func(c *change, v string) bool { c.be("hash"); return v == "" || readSeed(&c.seed, v) }},
		"roundrobin": {"nothing", func(c *change, v string) bool { c.be("roundrobin"); return v == "" }},
		"replay": {"a trace file, or FILE,any for one of other weights", func(c *change, v string) bool {
			c.be("replay")
			c.path = v
			return v != "" && v != ",any"
		}},
		"relu": {"nothing or a shift", func(c *change, v string) bool {
			c.be("relu")
			return v == "" || readReal(&c.number, v)
		}},
		"expertchoice": {"nothing or the mean number of experts a token, above 0", func(c *change, v string) bool {
			c.be("expertchoice")
			return v == "" || readReal(&c.number, v) && c.number > 0
		}},
		"softmoe": {"nothing", func(c *change, v string) bool { c.be("softmoe"); return v == "" }},
		"file":    {"an overlay of router weights", func(_ *change, v string) bool { return v != "" }},
		"shared":  {"off", func(_ *change, v string) bool { return v == "off" }},
	}
}

func readReal(to *float32, v string) bool {
	f, err := strconv.ParseFloat(v, 32)
	*to = float32(f)
	return err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
}

func readSeed(to *uint64, v string) bool {
	n, err := strconv.ParseUint(v, 10, 64)
	*to = n
	return err == nil
}

func readExperts(to *[]int32, v string) bool {
	for _, part := range strings.Split(v, ",") {
		n, err := strconv.ParseUint(strings.TrimSpace(part), 10, 31)
		if err != nil {
			return false
		}
		*to = append(*to, int32(n))
	}
	return true
}

func readBias(c *change, v string) bool {
	e, x, _ := strings.Cut(v, ":")
	n, err := strconv.ParseUint(e, 10, 31)
	b := expertBias{expert: int(n)}
	ok := err == nil && readReal(&b.add, x)
	c.bias = append(c.bias, b)
	return ok
}

func readNoise(c *change, v string) bool {
	sigma, seed, seeded := strings.Cut(v, ",")
	c.edit.Seed = 0
	return readReal(&c.edit.Noise, sigma) && c.edit.Noise >= 0 && (!seeded || readSeed(&c.edit.Seed, seed))
}

// readBounded reads a number, then min= and max=.
func readBounded(c *change, to *float32, v string) bool {
	parts := strings.Split(v, ",")
	c.edit.Min, c.edit.Max = 0, 0
	for _, p := range parts[1:] {
		key, n, _ := strings.Cut(p, "=")
		k, err := strconv.Atoi(n)
		switch {
		case err != nil || k < 1:
			return false
		case key == "min":
			c.edit.Min = k
		case key == "max":
			c.edit.Max = k
		default:
			return false
		}
	}
	return readReal(to, parts[0])
}

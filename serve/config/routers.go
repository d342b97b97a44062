package config

// Kinds of routers.
const (
	KindExperts    = "experts"    // the built-in router: which experts of the built-in mixture read the prompt
	KindDifficulty = "difficulty" // a folder of `route train`: weak or strong
	KindClassifier = "classifier" // a folder of `classify train`
	KindExamples   = "examples"   // utterances, compared by an encoder of the configuration
)

// Router names the kind of a prompt.
type Router struct {
	Name      string
	Kind      string
	Dir       string              // of difficulty and classifier
	Share     float64             // of difficulty: of prompts like those of the training that count as strong
	Threshold float64             // of the confidence, or of a difficulty's score
	HasLimit  bool                // Threshold is set; else the router's own
	Encoder   string              // of examples: the name of a model
	Labels    []string            // of examples, in the order of the file
	Examples  map[string][]string // label → utterances
	Quant     string              // of the encoder in the folder
	At        Pos
	ExampleAt Pos
	kindAt    bool
}

// maxExamples bounds the utterances of a router: each is embedded when the file is read.
const maxExamples = 10000

func (c *Config) readRouters(v value) {
	v.each("a mapping of names to routers", func(name string, v value) {
		r := Router{Name: name, At: v.pos(), Share: 0.2, Examples: map[string][]string{}}
		v.name(name)
		v.object(keys{
			"kind": func(v value) {
				r.kindAt = true
				v.oneOf(&r.Kind, KindExperts, KindDifficulty, KindClassifier, KindExamples)
			},
			"dir":       func(v value) { v.path(&r.Dir) },
			"share":     func(v value) { v.number(&r.Share, 0, 1) },
			"threshold": func(v value) { v.number(&r.Threshold, -100, 100); r.HasLimit = true },
			"quant":     func(v value) { v.oneOf(&r.Quant, "none", "int8", "int4", "mixed") },
			"encoder":   func(v value) { v.str(&r.Encoder) },
			"examples":  r.readExamples,
		})
		r.check(v)
		c.Routers = append(c.Routers, r)
	})
}

func (r *Router) readExamples(v value) {
	r.ExampleAt = v.pos()
	n := 0
	v.each("a mapping of labels to lists of texts", func(label string, v value) {
		var list []string
		v.strs(&list)
		if len(list) > 0 {
			r.Labels = append(r.Labels, label)
			r.Examples[label] = list
		}
		n += len(list)
	})
	if n > maxExamples {
		v.wrong("at most 10000 examples", "more")
	}
}

// check holds a router's keys against its kind.
func (r *Router) check(v value) {
	needs := func(ok bool, key string) {
		if !ok {
			v.wrong("a key "+key+" (kind "+r.Kind+")", "none")
		}
	}
	switch r.Kind {
	case KindDifficulty, KindClassifier:
		needs(r.Dir != "", "dir")
	case KindExamples:
		needs(r.Encoder != "", "encoder")
		needs(len(r.Labels) > 0, "examples")
	case "":
		if !r.kindAt {
			v.wrong("a key kind", "none")
		}
		return
	}
	if r.Kind != KindExamples && (r.Encoder != "" || len(r.Labels) > 0) {
		v.wrong("encoder and examples in routers of kind "+KindExamples+" only", "them in one of kind "+r.Kind)
	}
	if r.Dir != "" && r.Kind != KindDifficulty && r.Kind != KindClassifier {
		v.wrong("dir in routers of kind difficulty and classifier only", "it in one of kind "+r.Kind)
	}
}

package tokenizer

// token is what a model makes of a part of a piece; from and to are bytes of the piece's text.
type token struct {
	id       int32
	from, to int32
}

// model splits the text of one piece into tokens. Models hold no state that changes: whatever a call needs
// is in the scratch that it is given.
type model interface {
	// tokenize appends the tokens of text, which is never empty, to sc.toks.
	tokenize(sc *scratch, text string) error
	// value returns the text that the reference attaches to a token of tokenize(text).
	value(text string, t token) string
	// vocabulary returns the tokens of the model; size is the number that new tokens are counted from.
	vocabulary() (v *vocab, size int)
}

// scratch is the working memory of one goroutine.
type scratch struct {
	toks  []token
	words wordCache
	bpe   bpeScratch
	paths []pathNode
}

// modelFields are the members of "model" as they were found in the file.
type modelFields struct {
	small  jsonValue // everything but the two large members
	vocab  *vocab
	scored []scoredToken
	merges []mergePair
	listed bool // vocab is a list (Unigram)
	merged bool // merges is present
}

func readModel(r *jsonReader) (model, error) {
	m := modelFields{small: jsonValue{kind: jsonObject}}
	err := r.object(func(key string) error {
		var err error
		c := r.peek()
		switch {
		case key == "vocab" && c == '{':
			m.vocab, err = readVocab(r)
		case key == "vocab" && c == '[':
			m.listed = true
			m.scored, err = readScored(r)
		case key == "merges" && c == '[':
			m.merged = true
			m.merges, err = readMerges(r)
		default:
			var v jsonValue
			v, err = r.value()
			m.small.keys, m.small.list = append(m.small.keys, key), append(m.small.list, v)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return m.build()
}

// build chooses the model. Files written before models had a type are told apart by their members.
func (m *modelFields) build() (model, error) {
	kind := m.small.get("type")
	name := kind.text
	if kind.kind == jsonMissing {
		switch {
		case m.vocab != nil && m.merged:
			name = "BPE"
		case m.vocab != nil && !m.small.get("continuing_subword_prefix").absent():
			name = "WordPiece"
		case m.vocab != nil:
			name = "WordLevel"
		case m.listed:
			name = "Unigram"
		}
	}
	switch {
	case name == "Unigram" && m.listed:
		return newUnigram(m)
	case name == "Unigram" || m.vocab == nil:
		if name == "Unigram" || name == "BPE" || name == "WordPiece" || name == "WordLevel" {
			return nil, badf("model.vocab: missing or of the wrong kind for %s", name)
		}
	case name == "BPE":
		return newBPE(m)
	case name == "WordPiece":
		return newWordPiece(m)
	case name == "WordLevel":
		return newWordLevel(m)
	}
	return nil, unsupportedf("model.type %q", name)
}

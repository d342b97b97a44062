package serve

import (
	"github.com/seed2fbf7788/switchyard/serve/engine"
	"github.com/seed2fbf7788/switchyard/tokenizer"
)

// chatLogProb is one token in the form of chat completions. The tokens of a choice, joined, are its text: where a rune takes
// several tokens the last of them has it all and the others are empty.
type chatLogProb struct {
	Token   string       `json:"token"`
	LogProb float32      `json:"logprob"`
	Bytes   []int        `json:"bytes"`
	Top     []topLogProb `json:"top_logprobs"`
}

type topLogProb struct {
	Token   string  `json:"token"`
	LogProb float32 `json:"logprob"`
	Bytes   []int   `json:"bytes"`
}

func chatLogProbs(tok *tokenizer.Tokenizer, list []engine.Token) []chatLogProb {
	out := []chatLogProb{}
	for _, t := range list {
		if t.ID < 0 {
			continue
		}
		c := chatLogProb{Token: t.Text, LogProb: t.LogProb, Bytes: bytesOf(t.Text), Top: []topLogProb{}}
		for _, a := range t.Top {
			text := alternative(tok, t, a)
			c.Top = append(c.Top, topLogProb{text, a.LogProb, bytesOf(text)})
		}
		out = append(out, c)
	}
	return out
}

// alternative is the text of a token that was not drawn, as it reads by itself.
func alternative(tok *tokenizer.Tokenizer, t engine.Token, a engine.Alternative) string {
	if a.ID == t.ID && t.Text != "" {
		return t.Text
	}
	if tok == nil {
		return ""
	}
	b, ok := tok.Bytes(a.ID)
	if !ok {
		text, _ := tok.Token(a.ID)
		return text
	}
	return string(b)
}

func bytesOf(s string) []int {
	out := make([]int, len(s))
	for i := range len(s) {
		out[i] = int(s[i])
	}
	return out
}

// textLogProbs is the form of text completions.
type textLogProbs struct {
	Tokens   []string             `json:"tokens"`
	LogProbs []float32            `json:"token_logprobs"`
	Top      []map[string]float32 `json:"top_logprobs"`
	Offset   []int                `json:"text_offset"`
}

// newTextLogProbs begins at a byte offset of the text.
func newTextLogProbs(tok *tokenizer.Tokenizer, list []engine.Token, offset int) *textLogProbs {
	out := &textLogProbs{Tokens: []string{}, LogProbs: []float32{}, Top: []map[string]float32{}, Offset: []int{}}
	for _, t := range list {
		if t.ID < 0 {
			continue
		}
		out.Tokens, out.LogProbs, out.Offset = append(out.Tokens, t.Text), append(out.LogProbs, t.LogProb), append(out.Offset, offset)
		top := map[string]float32{}
		for _, a := range t.Top {
			text := alternative(tok, t, a)
			if v, ok := top[text]; !ok || a.LogProb > v {
				top[text] = a.LogProb
			}
		}
		out.Top = append(out.Top, top)
		offset += len(t.Text)
	}
	return out
}

// Command kinds trains the router that is inside the binary, which names the kind of a prompt by the built-in model's
// experts, and draws the prompts that its test judges it by.
//
// usage: go run ./testdata/gen/kinds CORPUS ROUTER.safetensors HELD.jsonl OTHER.jsonl…
//
// CORPUS is what corpus.py wrote: a JSON list of documents for each kind. The last fiftieth of the documents, which the
// built-in model was not trained on either (tok.py), is for HELD alone: 150 windows of 30 tokens of each kind.
//
// OTHER are texts of none of the kinds, lines {"text"} or {"prompt"}: the training parts of CLINC150 and banking77, and questions of
// MMLU. other.go adds words of many languages and noise.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/learn"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/builtin"
	"github.com/seed2fbf7788/switchyard/route"
	"github.com/seed2fbf7788/switchyard/tokenizer"
)

// kinds are the files of the corpus and what the router calls them.
var kinds = [][2]string{{"go", "code"}, {"bible", "scripture"}, {"shakespeare", "play"}, {"speeches", "speech"},
	{"dictionary", "dictionary"}, {"arithmetic", "sums"}, {"french", "french"}, {"german", "german"}}

const (
	each     = 4000 // windows of a kind to train on
	heldEach = 150
)

func main() {
	log.SetFlags(0)
	if len(os.Args) < 5 {
		log.Fatal("usage: kinds CORPUS ROUTER.safetensors HELD.jsonl OTHER.jsonl…")
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4:]); err != nil {
		log.Fatal(err)
	}
}

func run(corpus, router, held string, others []string) error {
	m, err := model.OpenFS(builtin.FS(), model.Options{})
	if err != nil {
		return err
	}
	defer m.Close()
	train, test, err := draw(m, corpus)
	if err != nil {
		return err
	}
	more, err := other(m, others)
	if err != nil {
		return err
	}
	train = append(train, more...)
	e, err := kernels.New(kernels.Options{})
	if err != nil {
		return err
	}
	defer e.Close()
	ctx := context.Background()
	k, report, err := route.TrainKinds(ctx, e, m, train, route.KindsOptions{})
	if err != nil {
		return err
	}
	fmt.Printf("%+v\n", *report)
	right := 0
	for _, x := range test {
		d, err := k.Decide(ctx, x.Text)
		if err != nil {
			return err
		}
		if d.Kind == x.Label {
			right++
		}
	}
	fmt.Printf("%d of %d held-out prompts\n", right, len(test))
	if err := write(held, test); err != nil {
		return err
	}
	return k.Save(router)
}

// draw takes windows of both parts of every kind.
func draw(m *model.Model, corpus string) (train, test []learn.Example, err error) {
	tok, err := m.Tokenizer()
	if err != nil {
		return nil, nil, err
	}
	rng := rand.New(rand.NewPCG(9, 26))
	for _, k := range kinds {
		data, err := os.ReadFile(filepath.Join(corpus, k[0]+".json"))
		if err != nil {
			return nil, nil, err
		}
		var docs []string
		if err := json.Unmarshal(data, &docs); err != nil {
			return nil, nil, err
		}
		n := len(docs) - max(2, len(docs)/50)
		for range each {
			length := int(math.Exp(rng.Float64() * math.Log(60)))
			text, err := window(rng, tok, docs[:n], length)
			if err != nil {
				return nil, nil, err
			}
			train = append(train, learn.Example{Text: text, Label: k[1]})
		}
		for range heldEach {
			text, err := window(rng, tok, docs[n:], 30)
			if err != nil {
				return nil, nil, err
			}
			test = append(test, learn.Example{Text: text, Label: k[1]})
		}
	}
	return train, test, nil
}

// window cuts so many tokens out of a document, half of the time from the beginning of a line on, else of a word.
func window(rng *rand.Rand, tok *tokenizer.Tokenizer, docs []string, tokens int) (string, error) {
	for {
		doc := docs[rng.IntN(len(docs))]
		at := rng.IntN(len(doc))
		sep := " \n"
		if rng.IntN(2) == 0 {
			sep = "\n"
		}
		at = strings.LastIndexAny(doc[:at], sep) + 1
		if at > 0 && doc[at-1] == ' ' && rng.IntN(2) == 0 {
			at-- // as a token in the midst of a line has it
		}
		text := doc[at:min(at+16*tokens, len(doc))]
		for !utf8.ValidString(text) && len(text) > 0 {
			text = text[:len(text)-1]
		}
		enc, err := tok.Encode(text, tokenizer.EncodeOptions{NoOffsets: true, NoSpecial: true})
		if err != nil {
			return "", err
		}
		if len(enc.IDs) < tokens {
			continue
		}
		var out []byte
		for _, id := range enc.IDs[:tokens] {
			b, _ := tok.Bytes(id)
			out = append(out, b...)
		}
		for !utf8.Valid(out) && len(out) > 0 {
			out = out[:len(out)-1]
		}
		if strings.TrimSpace(string(out)) != "" {
			return string(out), nil
		}
	}
}

func write(path string, examples []learn.Example) error {
	var out strings.Builder
	for _, x := range examples {
		line, err := json.Marshal(x)
		if err != nil {
			return err
		}
		out.Write(append(line, '\n'))
	}
	return os.WriteFile(path, []byte(out.String()), 0o644)
}

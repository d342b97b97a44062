package model_test

import (
	"context"
	"fmt"
	"log"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/builtin"
	"github.com/seed2fbf7788/switchyard/moe"
)

// Continue a text with the built-in model, token by token.
func ExampleSession_Generate() {
	m, err := model.OpenFS(builtin.FS(), model.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	s := m.NewSession()
	defer s.Close()
	for t, err := range s.Generate(context.Background(), "3 * 9 =", model.GenerateOptions{Stop: []string{"\n"}}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(t.Text)
	}
	// Output: 27
}

// Look at what the gates decide: the experts of the last token in the first layer.
func ExampleModel_Step() {
	m, err := model.OpenFS(builtin.FS(), model.Options{Gate: "topk=2"})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	ids, err := m.EncodePrompt("func main() {")
	if err != nil {
		log.Fatal(err)
	}
	routing := moe.NewRecorder(moe.RecordRouting)
	seq := m.NewSequence()
	defer seq.Free()
	if err := m.Step(context.Background(), model.Batch{{Seq: seq, Tokens: ids}}, routing); err != nil {
		log.Fatal(err)
	}
	r := routing.Layer(0)
	fmt.Println(r.Tokens(), "tokens,", r.MaxK(), "experts each")
	// Output: 5 tokens, 2 experts each
}

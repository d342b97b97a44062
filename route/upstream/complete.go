package upstream

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/openai/openai-go/v3"

	"github.com/seed2fbf7788/switchyard/route/guard"
	"github.com/seed2fbf7788/switchyard/route/price"
)

// Answer is a whole answer.
type Answer struct {
	Raw     json.RawMessage // as the upstream wrote it
	Text    string          // of the first choice
	Finish  string
	Usage   price.Usage
	Metered bool // the upstream said the usage
}

// Complete asks for an answer in one piece. Its error is an *Error.
func (u *Upstream) Complete(ctx context.Context, c guard.Cleared) (*Answer, error) {
	call, err := u.begin(ctx, c, false)
	if err != nil {
		return nil, err
	}
	service := u.service(call.s)
	var answer *Answer
	failed := call.try(func() *Error {
		ctx, a, done := call.s.watch(call.ctx, true)
		defer done()
		err := protect(func() error {
			res, err := service.New(ctx, call.params())
			if err == nil {
				answer, err = answerOf(res)
			}
			return err
		})
		if err != nil || a.status >= 300 {
			return call.explain(a, err)
		}
		return nil
	})
	if failed != nil {
		return nil, failed
	}
	u.circuit.succeeded()
	call.end()
	return answer, nil
}

var errNoChoices = errors.New("no choices")

func answerOf(res *openai.ChatCompletion) (*Answer, error) {
	if res == nil || len(res.Choices) == 0 {
		return nil, errNoChoices
	}
	usage, metered := usageOf(res.Usage, res.JSON.Usage.Valid())
	return &Answer{json.RawMessage(res.RawJSON()), res.Choices[0].Message.Content, res.Choices[0].FinishReason, usage, metered}, nil
}

func usageOf(u openai.CompletionUsage, said bool) (price.Usage, bool) {
	if !said || u.PromptTokens < 0 || u.CompletionTokens < 0 {
		return price.Usage{}, false
	}
	return price.Usage{In: u.PromptTokens, Out: u.CompletionTokens}, true
}

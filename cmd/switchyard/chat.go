package main

import (
	"context"
	"fmt"
	"iter"

	"github.com/seed2fbf7788/switchyard/model"
)

// chatPrompt wraps text in the model's chat template. Templates are not read yet.
func chatPrompt(context.Context, *runFlags, *model.Session, string) (iter.Seq2[model.Token, error], error) {
	return nil, fmt.Errorf("%w: --chat: chat templates are not supported yet", errUsage)
}

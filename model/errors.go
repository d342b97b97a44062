package model

import "errors"

// What can go wrong, as sentinels; every error wraps one of these, of package loader or of package tokenizer, and names details.
var (
	// ErrFamily is returned when config.json names a model_type that is not supported.
	ErrFamily = errors.New("unsupported model_type")
	// ErrSpec is returned when config.json holds values that do not fit together.
	ErrSpec = errors.New("bad model configuration")
	// ErrOption is returned when an option has a value that is not allowed.
	ErrOption = errors.New("bad option")
	// ErrToken is returned for a token id outside the vocabulary.
	ErrToken = errors.New("bad token id")
	// ErrPrompt is returned for a prompt that is empty.
	ErrPrompt = errors.New("bad prompt")
	// ErrContext is returned when a prompt does not fit in the model's context.
	ErrContext = errors.New("context is full")
	// ErrNumbers is returned when logits are not finite: the weights are damaged.
	ErrNumbers = errors.New("numbers are not finite")
	// ErrNoTokenizer is returned when text is given to a model whose folder has no tokenizer.json.
	ErrNoTokenizer = errors.New("no tokenizer")
	// ErrClosed is returned by every call after Close.
	ErrClosed = errors.New("model is closed")
)

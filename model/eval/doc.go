// Package eval measures how well a model predicts a text, under any gates: the loss of every token, perplexity, bits per
// byte; and tables of gates that are tried on one text and ranked.
//
// A text of n tokens is read in windows: window i has the tokens from i·stride on, at most window of them, and predicts the
// token behind each. Every token but the first is scored exactly once, by the first window that predicts it, so with a
// stride below the window each token but those of the first window has at least window − stride tokens before it.
//
//	loss       −ln p(token | those before it in its window), in nats, f64 sums in order of tokens
//	perplexity exp(mean loss)
//	bits/byte  Σ loss / (ln 2 · bytes of the text)
package eval

// Package tokenizer turns text into token ids and back, exactly as a tokenizer.json says.
//
// Text flows through one pipeline: added tokens are cut out (addedVocab), the rest is normalised
// (normalizer), split (preTokenizer), tokenised (model) and framed by special tokens (postProcessor); a
// Stream leads back. Each component is one file, named as tokenizer.json names it; a piece is the text on
// its way together with where in the input every byte came from.
//
// The measure is the reference library, tokenizers 0.23, including its oddities: they are kept and marked by
// a comment. What is not implemented is refused when the file is read, never approximated.
package tokenizer

package tokenizer

import "strings"

// Bytes returns the bytes that an id adds to a decoded text where it does not stand first; false for special tokens and for
// ids outside of the vocabulary. Joined they are the text of Decode for decoders that look at each token alone (byte-level,
// metaspace, byte-fallback, WordPiece without clean-up); CTC, which drops repeats, is none of these.
func (t *Tokenizer) Bytes(id int32) ([]byte, bool) {
	tok, ok := t.decodeToken(id)
	if !ok || t.added.special[tok] {
		return nil, false
	}
	if t.spaced {
		return []byte(" " + tok), true
	}
	out := []byte(tok)
	for _, make := range t.decoder {
		if out, ok = alone(make(), out); !ok {
			return nil, true
		}
	}
	return out, true
}

// alone is what a stage makes of one token that stands in the midst of others.
func alone(s stage, tok []byte) ([]byte, bool) {
	switch s := s.(type) {
	case *tokenStage:
		text, keep := s.fn(1, string(tok))
		return []byte(text), keep
	case *byteLevelStage:
		raw, ok := fromByteRunes(nil, string(tok))
		if !ok {
			return tok, true
		}
		return raw, true
	case *byteFallbackStage:
		if b, ok := byteToken(string(tok)); ok {
			return []byte{b}, true
		}
	case *suffixStage:
		return []byte(strings.ReplaceAll(string(tok), s.suffix, " ")), true
	}
	return tok, true
}

package tokenizer

// byteRunes is GPT-2's byte alphabet: printable bytes stand for themselves, the others for U+0100 and up in
// order. Reference: gpt-2, encoder.py, bytes_to_unicode.
var byteRunes = func() (t [256]rune) {
	next := rune(256)
	for i := range t {
		if printableByte(i) {
			t[i] = rune(i)
			continue
		}
		t[i] = next
		next++
	}
	return t
}()

// runeBytes is the way back, -1 for a rune outside of the alphabet.
var runeBytes = func() (t [0x144]int16) {
	for i := range t {
		t[i] = -1
	}
	for b, r := range byteRunes {
		t[r] = int16(b)
	}
	return t
}()

func printableByte(i int) bool {
	return '!' <= i && i <= '~' || 0xA1 <= i && i <= 0xAC || 0xAE <= i
}

// fromByteRunes appends the bytes that s stands for; ok is false when s has a character outside of the
// alphabet, and dst is returned as it was.
func fromByteRunes(dst []byte, s string) (out []byte, ok bool) {
	out = dst
	for _, r := range s {
		if int(r) >= len(runeBytes) || runeBytes[r] < 0 {
			return dst, false
		}
		out = append(out, byte(runeBytes[r]))
	}
	return out, true
}

// toByteRunes changes the text of a piece into the byte alphabet; each byte keeps the origin of its character.
func (p *piece) toByteRunes() error {
	out := make([]change, 0, len(p.text))
	for _, r := range p.text {
		for i, b := range []byte(string(r)) {
			out = append(out, change{byteRunes[b], min(i, 1)})
		}
	}
	return p.transform(out, 0)
}

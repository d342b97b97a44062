package route

import (
	"math"
	"strings"
	"unicode"
)

// shapeNames are what shape measures of a prompt, in order: lengths (as logarithms), shares of kinds of characters, and
// signs of the form of the question.
var shapeNames = []string{
	"characters", "question_characters", "option_characters", "option_spread", "words", "word_length", "digits", "question_digits",
	"capitals", "punctuation", "question_marks", "ends_in_question", "no_question", "negation", "statements", "blanks",
	"numeric_options", "code",
}

// shape measures a prompt.
func shape(p string) []float32 {
	question, options := splitOptions(p)
	optionLen, shortest, longest, numeric := 0, math.MaxInt, 0, len(options) > 0
	for _, o := range options {
		optionLen += len(o)
		shortest, longest = min(shortest, len(o)), max(longest, len(o))
		numeric = numeric && strings.Trim(o, "0123456789.,-$% ") == ""
	}
	if len(options) == 0 {
		shortest = 0
	}
	words := strings.Fields(p)
	letters := 0
	for _, w := range words {
		letters += len(w)
	}
	all, q := countKinds(p), countKinds(question)
	n, nq := float64(max(len(p), 1)), float64(max(len(question), 1))
	log := func(v int) float64 { return math.Log1p(float64(v)) }
	values := []float64{
		log(len(p)), log(len(question)), log(optionLen), float64(longest-shortest) / 50, log(len(strings.Fields(question))),
		float64(letters) / float64(max(len(words), 1)), all.digits / n, q.digits / nq, all.capitals / n, all.marks / n,
		float64(strings.Count(question, "?")), flag(strings.HasSuffix(strings.TrimSpace(question), "?")), flag(!strings.Contains(question, "?")),
		flag(strings.Contains(p, "NOT") || strings.Contains(p, "EXCEPT")), float64(strings.Count(p, "Statement")),
		float64(min(strings.Count(p, "_"), 10)), flag(numeric), flag(strings.ContainsAny(p, "{}") && strings.Contains(p, "(")),
	}
	out := make([]float32, len(values))
	for i, v := range values {
		out[i] = float32(v)
	}
	return out
}

type kinds struct{ digits, capitals, marks float64 }

func countKinds(s string) (k kinds) {
	for _, r := range s {
		switch {
		case unicode.IsDigit(r):
			k.digits++
		case unicode.IsUpper(r):
			k.capitals++
		case !unicode.IsLetter(r) && !unicode.IsSpace(r):
			k.marks++
		}
	}
	return k
}

// splitOptions parts a question from the lines "A. …" to "Z. …" behind it, where there are any.
func splitOptions(p string) (question string, options []string) {
	lines := strings.Split(p, "\n")
	first := len(lines)
	for i, l := range lines {
		if i > 0 && len(l) > 2 && l[0] >= 'A' && l[0] <= 'Z' && l[1] == '.' && l[2] == ' ' {
			options = append(options, l[3:])
			first = min(first, i)
		}
	}
	return strings.Join(lines[:first], "\n"), options
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

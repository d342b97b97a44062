package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	wordLine = regexp.MustCompile(`(?m)^\tWORD \$0x([0-9a-f]{8}) // (.*)$`)
	operands = regexp.MustCompile(`\b([vqdswx]|#)?\d+\b`)
)

// armWords are all instruction words that the generator writes, by their text.
func armWords() map[string]string {
	words := map[string]string{}
	for name, text := range files() {
		if strings.HasSuffix(name, "_arm64.s") {
			for _, m := range wordLine.FindAllStringSubmatch(text, -1) {
				words[m[2]] = m[1]
			}
		}
	}
	return words
}

// shape is an instruction without its numbers.
func shape(text string) string { return operands.ReplaceAllString(text, "$1") }

// TestArmWords compares with words that another assembler (LLVM's) made of the texts: of every kind of instruction
// enough that each bit that varies is seen as 0 and as 1.
func TestArmWords(t *testing.T) {
	table, err := os.ReadFile("testdata/arm64.txt")
	require.NoError(t, err)
	words, shapes := armWords(), map[string]bool{}
	for _, line := range strings.Split(strings.TrimSpace(string(table)), "\n") {
		word, text, _ := strings.Cut(line, " ")
		if have, ok := words[text]; ok {
			require.Equal(t, word, have, text)
			shapes[shape(text)] = true
		}
	}
	for text := range words {
		require.True(t, shapes[shape(text)], "%q: no instruction of this kind has been compared", text)
	}
}

// TestArmWordsDisassemble asks LLVM what all words mean, where it is installed.
func TestArmWordsDisassemble(t *testing.T) {
	mc, err := exec.LookPath("llvm-mc")
	if err != nil {
		t.Skip("llvm-mc is not installed")
	}
	var in strings.Builder
	var want []string
	for text, word := range armWords() {
		fmt.Fprintf(&in, "0x%s 0x%s 0x%s 0x%s\n", word[6:], word[4:6], word[2:4], word[:2])
		want = append(want, text)
	}
	cmd := exec.Command(mc, "-triple=aarch64", "-mattr=+dotprod", "-disassemble")
	cmd.Stdin = strings.NewReader(in.String())
	out, err := cmd.Output()
	require.NoError(t, err)
	_, list, _ := strings.Cut(string(out), "\n") // .text
	lines := strings.Split(strings.TrimSpace(list), "\n")
	require.Len(t, lines, len(want))
	for i, line := range lines {
		line, _, _ = strings.Cut(line, "//")
		require.Equal(t, want[i], strings.Join(strings.Fields(line), " "))
	}
}

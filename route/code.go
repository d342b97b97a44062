package route

import (
	"context"
	"regexp"
	"strings"
)

// Code matches texts that hold source code (or, where it is false, those that do not). A question about code in plain words is
// none.
type Code bool

// Read implements Signal.
func (c Code) Read(_ context.Context, p *Prompt) (Reading, error) {
	confidence := CodeLikelihood(Bound(p.Text, maxLabelBytes))
	found := confidence >= 0.5
	if !found {
		confidence = 1 - confidence
	}
	return Reading{Match: found == bool(c), Confidence: confidence, Threshold: 0.5, Reason: ReasonCode}, nil
}

// Signs of code in a line. A strong one is enough, of the weak ones two. Those with marks are looked for only where a line has one
// of codeMarks: prose mostly has none, and rules must be quick.
var (
	codeHead = regexp.MustCompile(`^\s*(?:(func|def|class|struct|fn|impl|from \w+ import|#include|(public|private|static) (class|static|final|void|int|func|function|\w+\()` +
		`|const|let|var|type \w+ (struct|interface))\b.*[({:;="<]|import\s*["'({]|(import|package) [\w.]+;?$|(if|for|while|switch|elif|else if)\b.*[{:]\s*$|#!/` +
		`|(?i:select\b.+\bfrom\s+\w+|insert into\b|create table\b)|[{\[]\s*"[\w-]+"\s*:|[})\]]+[;,)]*\s*$)`)
	codeStrong = regexp.MustCompile("^```|:=|==|!=|&&|\\|\\||=>|->|::|\\+=|</\\w+>|/>|[\\w\\])]\\(.*\\)\\s*[{;:]\\s*$|[)\\]'\"];\\s*(//.*)?$" +
		`|\b(if err != nil|console\.log|System\.out|std::|print\(|printf\()`)
	codeWeakHead = regexp.MustCompile(`^\s*(return|break|continue|else|func|def|import|package)\b|^\s{4,}\S|^\t`)
	codeWeak     = regexp.MustCompile(`[{}]|\w\(\)|\w+\(\w*(, ?\w+)*\)|\w\.\w+\(|\[\w+\]|^\s*(//|/\*|\*/|#\s)|\s=\s|\w_\w|%[dsv]|"\s*[:,]\s*["\d{\[]|[<>]=?\s*\d`)
)

const codeMarks = "=&|<>{}()[];:#_%\"'`/"

// codeSigns is 0, a half or 1.
func codeSigns(line string) float64 {
	marks := strings.ContainsAny(line, codeMarks)
	if codeHead.MatchString(line) || marks && codeStrong.MatchString(line) {
		return 1
	}
	weak := 0
	if codeWeakHead.MatchString(line) {
		weak++
	}
	if marks {
		weak += len(codeWeak.FindAllStringIndex(line, 2))
	}
	return 0.5 * float64(min(weak, 2))
}

// CodeLikelihood is near 1 for source code and near 0 for prose: by the share of lines that look like code, and more than a
// half where there is any fenced block.
func CodeLikelihood(text string) float64 {
	score, lines := 0.0, 0
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, " \r\n"); line == "" {
			continue
		}
		lines++
		score += codeSigns(line)
	}
	if lines == 0 {
		return 0
	}
	share := score / float64(lines)
	if score == 0.5 { // one weak sign in all
		share = min(share, 0.4)
	}
	if share < 0.6 && strings.Count(text, "```") >= 2 {
		return 0.6
	}
	return share
}

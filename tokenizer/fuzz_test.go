package tokenizer

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzTokenizerJSON: whatever the bytes, Parse returns and what it accepts can encode without a panic.
func FuzzTokenizerJSON(f *testing.F) {
	f.Add([]byte(`{"version":"1.0","added_tokens":[{"id":1,"content":"x","single_word":false,"lstrip":true,"rstrip":true,"normalized":true,"special":true}],"normalizer":{"type":"NFKC"},"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true},"post_processor":null,"decoder":{"type":"ByteLevel"},"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}}`))
	f.Add([]byte(`{"model":{"type":"Unigram","unk_id":0,"vocab":[["u",0],["ab",-1.5]]},"pre_tokenizer":{"type":"Metaspace","replacement":"_"}}`))
	f.Add([]byte(`{"model":{"type":"WordPiece","unk_token":"u","continuing_subword_prefix":"##","max_input_chars_per_word":9,"vocab":{"u":0}},"normalizer":{"type":"Replace","pattern":{"Regex":"(a|b)*"},"content":"c"}}`))
	f.Add([]byte(`{"model":{"vocab":{"a":4294967295}}}`))
	f.Add([]byte(`[[[[[[`))
	f.Fuzz(func(t *testing.T, data []byte) {
		tok, err := Parse(data)
		if err != nil {
			return
		}
		e, err := tok.Encode("ab x  e\u0301 漢字\n", EncodeOptions{})
		if err == nil {
			_, _ = tok.Decode(e.IDs, true)
		}
	})
}

// TestRoundTrip: byte-level vocabularies give back every text, normalised. SWITCHYARD_ROUNDTRIPS is the number of
// texts for each vocabulary.
func TestRoundTrip(t *testing.T) {
	n := 20_000
	if testing.Short() {
		n = 2_000
	}
	if s := os.Getenv("SWITCHYARD_ROUNDTRIPS"); s != "" {
		var err error
		n, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	for _, name := range []string{"small-bpe-bytelevel", "llama3", "qwen3", "gptoss", "gpt4o", "deepseek_v3"} {
		t.Run(name, func(t *testing.T) {
			tok, r := openNamed(t, name), rand.New(rand.NewPCG(3, 4))
			for range n {
				roundTrip(t, tok, randomText(r))
			}
		})
	}
}

func roundTrip(t *testing.T, tok *Tokenizer, text string) {
	t.Helper()
	e, err := tok.Encode(text, EncodeOptions{NoOffsets: true, NoSpecial: true})
	require.NoError(t, err)
	got, err := tok.Decode(e.IDs, false)
	require.NoError(t, err)
	p := wholePiece(text)
	if tok.norm != nil {
		require.NoError(t, tok.norm.normalize(&p))
	}
	if p.text != got {
		require.Equal(t, p.text, got)
	}
}

func FuzzRoundTrip(f *testing.F) {
	tok := openFile(f, filepath.Join(dataDir, "small-bpe-bytelevel.json"))
	f.Add("hello  world\n\u0301 漢字 👩‍👩‍👧")
	f.Fuzz(func(t *testing.T, s string) {
		if !strings.Contains(s, "<|endoftext|>") {
			roundTrip(t, tok, string([]rune(s)))
		}
	})
}

// TestHostile: broken and hostile files are refused with an error of this package.
func TestHostile(t *testing.T) {
	for _, data := range []string{
		"", "{}", "null", `{"model":{}}`, `{"model":{"type":"Magic","vocab":{}}}`, strings.Repeat("[", 1<<20),
		`{"model":{"type":"BPE","vocab":{"a":0},"merges":["a a"]}}`, `{"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}}`,
		`{"model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"a"},"normalizer":{"type":"Later"}}`,
		`{"model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"a"},"pre_tokenizer":{"type":"FixedLength","length":0}}`,
		`{"model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"a"},"pre_tokenizer":{"type":"Split","pattern":{"Regex":"(?<n>a)\\k<n>"},"behavior":"Isolated","invert":false}}`,
	} {
		_, err := Parse([]byte(data))
		require.Error(t, err, "%.60s", data)
	}
	tok, err := Parse([]byte(`{"model":{"type":"WordLevel","vocab":{"a":2147483647},"unk_token":"a"}}`))
	require.NoError(t, err, "one huge id must not size a table")
	require.Len(t, tok.model.(*wordLevel).voc.dense, 1<<16+4)
}

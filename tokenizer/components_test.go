package tokenizer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// componentCase is one tokenizer of components.json with what the reference says about its strings.
type componentCase struct {
	Name      string
	Tokenizer json.RawMessage
	Rows      []componentRow
}

type componentRow struct {
	Text           string   `json:"text"`
	Error          string   `json:"error"`
	IDs            []int32  `json:"ids"`
	SpecialIDs     []int32  `json:"special_ids"`
	Offsets        [][2]int `json:"offsets"`
	SpecialOffsets [][2]int `json:"special_offsets"`
	Decoded        string   `json:"decoded"`
	DecodedSkip    string   `json:"decoded_skip"`
	DecodeError    string   `json:"decode_error"`
}

// TestComponents compares every component and option with the reference on strings made to be nasty.
// SWITCHYARD_COMPONENTS names another file of make_components.py, which may use real vocabularies.
func TestComponents(t *testing.T) {
	file := os.Getenv("SWITCHYARD_COMPONENTS")
	if file == "" {
		file = filepath.Join(dataDir, "components.json")
	}
	var cases []componentCase
	readJSON(t, file, &cases)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			var tok *Tokenizer
			if string(c.Tokenizer) == "null" {
				tok = openNamed(t, c.Name)
			} else {
				var err error
				tok, err = Parse(c.Tokenizer)
				require.NoError(t, err)
			}
			bad := 0
			for _, row := range c.Rows {
				sameIDs(t, tok, row.Text)
				if why := row.differs(tok); why != "" {
					if bad++; bad <= 3 {
						t.Errorf("%q: %s", row.Text, why)
					}
				}
			}
			if bad > 0 {
				t.Errorf("%d of %d rows differ", bad, len(c.Rows))
			}
		})
	}
}

// differs says how the tokenizer departs from the row, "" when it does not.
func (row componentRow) differs(tok *Tokenizer) string {
	if row.SpecialIDs == nil {
		row.SpecialIDs = row.IDs
	}
	if row.SpecialOffsets == nil {
		row.SpecialOffsets = row.Offsets
	}
	plain, err := tok.Encode(row.Text, EncodeOptions{NoSpecial: true})
	if err != nil || row.Error != "" {
		if err != nil && row.Error != "" || strings.Contains(row.Error, "bad split") || strings.Contains(row.Error, "panic") || strings.Contains(row.Error, "out of range") {
			return ""
		}
		return "error: want " + row.Error + ", got " + errText(err)
	}
	special, _ := tok.Encode(row.Text, EncodeOptions{})
	decoded, _ := tok.Decode(plain.IDs, false)
	skipped, _ := tok.Decode(special.IDs, true)
	for _, pair := range []struct {
		what      string
		want, got any
	}{
		{"ids", row.IDs, plain.IDs}, {"offsets", row.Offsets, plain.Offsets}, {"special ids", row.SpecialIDs, special.IDs},
		{"special offsets", row.SpecialOffsets, special.Offsets}, {"decoded", row.Decoded, decoded}, {"decoded skip", row.DecodedSkip, skipped},
	} {
		if row.DecodeError != "" && strings.HasPrefix(pair.what, "decoded") {
			continue
		}
		want, _ := json.Marshal(pair.want)
		got, _ := json.Marshal(pair.got)
		if string(want) != string(got) && !(string(want) == "[]" && string(got) == "null") {
			return pair.what + ": want " + string(want) + ", got " + string(got)
		}
	}
	return ""
}

func errText(err error) string {
	if err == nil {
		return "none"
	}
	return err.Error()
}

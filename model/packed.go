package model

import (
	"fmt"

	"github.com/seed2fbf7788/switchyard/loader"
)

// The entry of config.json that marks a packed folder; docs/packed.md says what the tensors look like.
const (
	quantKey     = "quantization_config"
	quantMethod  = "switchyard"
	quantVersion = 1
	quantLayout  = "panel16"
	quantBlock   = 32
)

// quantConfig is what a packed folder's config.json says under quantKey.
type quantConfig struct {
	Method  string `json:"quant_method"`
	Version int    `json:"version"`
	Scheme  string `json:"scheme"`
	Layout  string `json:"layout"`
	Block   int    `json:"block"`
}

func newQuantConfig(scheme string) quantConfig {
	return quantConfig{Method: quantMethod, Version: quantVersion, Scheme: scheme, Layout: quantLayout, Block: quantBlock}
}

// packedScheme is the scheme of a packed folder, empty for any other. An entry of another method says nothing here: what
// its tensors are is seen when they are claimed.
func packedScheme(c *loader.Checkpoint) (string, error) {
	f := c.Config()
	q := f.Object(quantKey)
	if q == nil || q.StringOr("quant_method", "") != quantMethod {
		return "", nil
	}
	if v := q.Int("version", 1, 1<<30); v != quantVersion {
		bad(q, "version", fmt.Sprint(quantVersion), v)
	}
	scheme := q.String("scheme")
	if checkScheme(scheme) != nil {
		bad(q, "scheme", "int8, int4 or mixed", scheme)
	}
	if l := q.String("layout"); l != quantLayout {
		bad(q, "layout", quantLayout, l)
	}
	if b := q.Int("block", 1, 1<<20); b != quantBlock {
		bad(q, "block", fmt.Sprint(quantBlock), b)
	}
	for _, key := range q.Keys() {
		switch key {
		case "quant_method", "version", "scheme", "layout", "block":
		default:
			bad(q, key, "no such key", string(q.Raw(key)))
		}
	}
	return scheme, f.Err()
}

// schemeOf settles what Options.Quant asks for and what the folder is. packed is the folder's own scheme; the result is
// the scheme that is yet to be made, empty for none.
func schemeOf(quant, packed string) (string, error) {
	if err := checkScheme(quant, "", quantNone); err != nil {
		return "", err
	}
	switch {
	case packed != "" && quant != "" && quant != packed:
		return "", fmt.Errorf("%w: quant: want %s, which the folder is packed as, found %s", ErrOption, packed, quant)
	case packed != "" || quant == quantNone:
		return "", nil
	}
	return quant, nil
}

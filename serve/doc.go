// Package serve answers the OpenAI API over HTTP for any model that the library opens: chat and text completions,
// responses, models, tokenisation, metrics, and a page to try it.
//
//	request → auth → limits → decode (params.go) → prompt → engine.Submit → tokens → JSON or server-sent events
//
// What a request may say is in docs/serve.md. Bodies are hostile until decoded: every field is checked by name, nothing
// is sized by a number in a body, and what the decoder does not know is refused.
package serve

package clients

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
	sashabaranov "github.com/sashabaranov/go-openai"
	"github.com/tmc/langchaingo/llms"
	langopenai "github.com/tmc/langchaingo/llms/openai"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const model = "cambrian-moe-7m"

func server(t *testing.T) string {
	url := os.Getenv("SWITCHYARD_URL")
	if url == "" {
		t.Skip("SWITCHYARD_URL is not set; .ci/clients starts a server")
	}
	return url
}

var schema = map[string]any{
	"type": "object", "additionalProperties": false, "required": []string{"city", "degrees"},
	"properties": map[string]any{"city": map[string]any{"type": "string", "maxLength": 20}, "degrees": map[string]any{"type": "integer"}},
}

func fits(t *testing.T, text string) {
	var v struct {
		City    *string
		Degrees *int
	}
	require.NoError(t, json.Unmarshal([]byte(text), &v), text)
	require.NotNil(t, v.City)
	require.NotNil(t, v.Degrees)
}

func TestOpenAIGo(t *testing.T) {
	c := openai.NewClient(option.WithBaseURL(server(t)+"/v1"), option.WithAPIKey("none"), option.WithMaxRetries(0))
	ctx := context.Background()
	ask := openai.ChatCompletionNewParams{
		Model: model, MaxCompletionTokens: param.NewOpt[int64](40), Seed: param.NewOpt[int64](1),
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("And it came to pass")},
	}
	whole, err := c.Chat.Completions.New(ctx, ask)
	require.NoError(t, err)
	require.NotEmpty(t, whole.Choices[0].Message.Content)

	stream := c.Chat.Completions.NewStreaming(ctx, ask)
	acc := openai.ChatCompletionAccumulator{}
	for stream.Next() {
		require.True(t, acc.AddChunk(stream.Current()))
	}
	require.NoError(t, stream.Err())
	assert.Equal(t, whole.Choices[0].Message.Content, acc.Choices[0].Message.Content)

	call := ask
	call.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{Name: "weather", Parameters: schema, Strict: param.NewOpt(true)})}
	call.ToolChoice = openai.ChatCompletionToolChoiceOptionUnionParam{OfAuto: param.NewOpt("required")}
	called, err := c.Chat.Completions.New(ctx, call)
	require.NoError(t, err)
	assert.Equal(t, "weather", called.Choices[0].Message.ToolCalls[0].Function.Name)
	fits(t, called.Choices[0].Message.ToolCalls[0].Function.Arguments)

	form := ask
	form.ResponseFormat = openai.ChatCompletionNewParamsResponseFormatUnion{OfJSONSchema: &shared.ResponseFormatJSONSchemaParam{
		JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{Name: "weather", Schema: schema, Strict: param.NewOpt(true)}}}
	formed, err := c.Chat.Completions.New(ctx, form)
	require.NoError(t, err)
	fits(t, formed.Choices[0].Message.Content)

	bad := ask
	bad.Model = "none"
	_, err = c.Chat.Completions.New(ctx, bad)
	var failed *openai.Error
	require.True(t, errors.As(err, &failed))
	assert.Equal(t, 404, failed.StatusCode)
	assert.Equal(t, "model_not_found", failed.Code)

	models, err := c.Models.List(ctx)
	require.NoError(t, err)
	assert.Equal(t, model, models.Data[0].ID)

	short, cancel := context.WithCancel(ctx)
	endless := ask
	endless.MaxCompletionTokens = param.NewOpt[int64](400)
	stream = c.Chat.Completions.NewStreaming(short, endless)
	require.True(t, stream.Next())
	cancel()
	for stream.Next() {
	}
	require.ErrorIs(t, stream.Err(), context.Canceled)
}

func TestOpenAIGoResponses(t *testing.T) {
	c := openai.NewClient(option.WithBaseURL(server(t)+"/v1"), option.WithAPIKey("none"), option.WithMaxRetries(0))
	ask := responses.ResponseNewParams{Model: model, MaxOutputTokens: param.NewOpt[int64](30), Temperature: param.NewOpt(0.0),
		Input: responses.ResponseNewParamsInputUnion{OfString: param.NewOpt("And it came to pass")}}
	whole, err := c.Responses.New(context.Background(), ask)
	require.NoError(t, err)
	require.NotEmpty(t, whole.OutputText())
	stream := c.Responses.NewStreaming(context.Background(), ask)
	text, last := "", ""
	for stream.Next() {
		e := stream.Current()
		if last = e.Type; e.Type == "response.output_text.delta" {
			text += e.Delta
		}
	}
	require.NoError(t, stream.Err())
	assert.Equal(t, whole.OutputText(), text)
	assert.Contains(t, []string{"response.completed", "response.incomplete"}, last)
}

func TestGoOpenAI(t *testing.T) {
	conf := sashabaranov.DefaultConfig("none")
	conf.BaseURL = server(t) + "/v1"
	c := sashabaranov.NewClientWithConfig(conf)
	ctx := context.Background()
	seed := 3
	ask := sashabaranov.ChatCompletionRequest{Model: model, MaxTokens: 60, Seed: &seed,
		Messages: []sashabaranov.ChatCompletionMessage{{Role: "user", Content: "if err != nil {"}}}
	whole, err := c.CreateChatCompletion(ctx, ask)
	require.NoError(t, err)
	stream, err := c.CreateChatCompletionStream(ctx, ask)
	require.NoError(t, err)
	defer stream.Close()
	text := ""
	for {
		chunk, err := stream.Recv()
		if err != nil {
			break
		}
		if len(chunk.Choices) > 0 {
			text += chunk.Choices[0].Delta.Content
		}
	}
	assert.Equal(t, whole.Choices[0].Message.Content, text)

	call := ask
	call.Tools = []sashabaranov.Tool{{Type: "function", Function: &sashabaranov.FunctionDefinition{Name: "weather", Parameters: schema}}}
	call.ToolChoice = sashabaranov.ToolChoice{Type: "function", Function: sashabaranov.ToolFunction{Name: "weather"}}
	called, err := c.CreateChatCompletion(ctx, call)
	require.NoError(t, err)
	fits(t, called.Choices[0].Message.ToolCalls[0].Function.Arguments)

	form := ask
	data, _ := json.Marshal(schema)
	form.ResponseFormat = &sashabaranov.ChatCompletionResponseFormat{Type: "json_schema",
		JSONSchema: &sashabaranov.ChatCompletionResponseFormatJSONSchema{Name: "weather", Schema: json.RawMessage(data), Strict: true}}
	formed, err := c.CreateChatCompletion(ctx, form)
	require.NoError(t, err)
	fits(t, formed.Choices[0].Message.Content)

	done, err := c.CreateCompletion(ctx, sashabaranov.CompletionRequest{Model: model, Prompt: "3 * 9 =", MaxTokens: 4})
	require.NoError(t, err)
	require.NotEmpty(t, done.Choices[0].Text)

	ask.Temperature = 9
	_, err = c.CreateChatCompletion(ctx, ask)
	var failed *sashabaranov.APIError
	require.True(t, errors.As(err, &failed))
	assert.Equal(t, 400, failed.HTTPStatusCode)
}

func TestLangChainGo(t *testing.T) {
	llm, err := langopenai.New(langopenai.WithBaseURL(server(t)+"/v1"), langopenai.WithToken("none"), langopenai.WithModel(model))
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var streamed strings.Builder
	text, err := llms.GenerateFromSinglePrompt(ctx, llm, "My fellow citizens,", llms.WithMaxTokens(20), llms.WithTemperature(0.5),
		llms.WithStreamingFunc(func(_ context.Context, chunk []byte) error { streamed.Write(chunk); return nil }))
	require.NoError(t, err)
	assert.Equal(t, text, streamed.String())

	answer, err := llm.GenerateContent(ctx, []llms.MessageContent{llms.TextParts(llms.ChatMessageTypeHuman, "weather?")}, llms.WithMaxTokens(60),
		llms.WithTools([]llms.Tool{{Type: "function", Function: &llms.FunctionDefinition{Name: "weather", Parameters: schema}}}),
		llms.WithToolChoice("required"))
	require.NoError(t, err)
	require.Len(t, answer.Choices[0].ToolCalls, 1)
	fits(t, answer.Choices[0].ToolCalls[0].FunctionCall.Arguments)
}

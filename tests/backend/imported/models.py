"""Small token classifiers of each tokenizer family, with random weights, made from the sample texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForTokenClassification,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForTokenClassification,
    XLMRobertaConfig,
    XLMRobertaForTokenClassification,
)

IOB2 = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-MISC", "I-MISC")

FAMILIES = ("WordPiece", "byte-level BPE", "Unigram")

_VOCABULARY = 900
_SIZE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}


def make_tokenizer(family: str, texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """A tokenizer of a family, trained on texts, with the special tokens of its usual model."""
    if family == "WordPiece":
        return _wordpiece(texts)
    return _byte_level(texts) if family == "byte-level BPE" else _unigram(texts)


def _wordpiece(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=_VOCABULARY, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = _template(tokenizer, "[CLS]", "[SEP]")
    tokenizer.decoder = decoders.WordPiece()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", model_max_length=128,
    )  # fmt: skip


def _byte_level(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    tokenizer.train_from_iterator(texts, trainer)
    last, first = ((token, tokenizer.token_to_id(token) or 0) for token in ("</s>", "<s>"))
    tokenizer.post_processor = processors.RobertaProcessing(last, first, trim_offsets=True, add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return _with_roberta_tokens(tokenizer)


def _unigram(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    trainer = trainers.UnigramTrainer(
        vocab_size=_VOCABULARY, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"], unk_token="<unk>",
        show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = _template(tokenizer, "<s>", "</s>")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    return _with_roberta_tokens(tokenizer)


def _template(tokenizer: Tokenizer, first: str, last: str) -> processors.TemplateProcessing:
    special = [(token, tokenizer.token_to_id(token)) for token in (first, last)]
    return processors.TemplateProcessing(single=f"{first} $A {last}", special_tokens=special)


def _with_roberta_tokens(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>", bos_token="<s>", eos_token="</s>",
        cls_token="<s>", sep_token="</s>", mask_token="<mask>", model_max_length=128,
    )  # fmt: skip


def make_model(
    family: str, tokenizer: PreTrainedTokenizerFast, tags: Sequence[str], *, seed: int = 1
) -> PreTrainedModel:
    """A model of a family with random weights, large enough for all tags to occur."""
    torch.manual_seed(seed)
    names = {"id2label": dict(enumerate(tags)), "label2id": {tag: row for row, tag in enumerate(tags)}}
    shape = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id, **_SIZE, **names}
    model: PreTrainedModel
    if family == "WordPiece":
        model = BertForTokenClassification(BertConfig(max_position_embeddings=128, **shape))
    elif family == "byte-level BPE":
        config = RobertaConfig(max_position_embeddings=130, type_vocab_size=1, **shape)
        model = RobertaForTokenClassification(config)
    else:
        model = XLMRobertaForTokenClassification(
            XLMRobertaConfig(max_position_embeddings=130, type_vocab_size=1, **shape)
        )
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(8)
    model.eval()  # type: ignore[no-untyped-call]
    return model


def save_classifier(
    folder: Path, family: str, texts: Sequence[str], *, tags: Sequence[str] = IOB2, seed: int = 1
) -> Path:
    """Write a model of a family and its tokenizer into a folder, as `AutoModelForTokenClassification` opens them."""
    tokenizer = make_tokenizer(family, texts)
    make_model(family, tokenizer, tags, seed=seed).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder

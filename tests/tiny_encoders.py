"""Pretrained encoders in small: random weights, saved as Hugging Face saves real ones."""

from pathlib import Path
from typing import Any

import torch

WAVEFORM = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "conv_dim": (8, 8),
    "conv_kernel": (10, 8),
    "conv_stride": (10, 8),
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}
WHISPER = {
    "d_model": 16,
    "encoder_layers": 2,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
    "decoder_layers": 1,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 24,
    "max_source_positions": 150,  # 3 s
    "vocab_size": 40,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}
#: The two forms of wav2vec 2.0 (base: group norm; large: layer norm), of HuBERT, Whisper.
KINDS: dict[str, dict[str, Any]] = {
    "wav2vec2_group": {"model_type": "wav2vec2", "feat_extract_norm": "group", **WAVEFORM},
    "wav2vec2_layer": {
        "model_type": "wav2vec2",
        "feat_extract_norm": "layer",
        "do_stable_layer_norm": True,
        "conv_bias": True,
        **WAVEFORM,
    },
    "hubert": {"model_type": "hubert", "feat_extract_norm": "group", **WAVEFORM},
    "hubert_batch": {
        "model_type": "hubert",
        "feat_extract_norm": "layer",
        "conv_pos_batch_norm": True,
        **WAVEFORM,
    },
    "whisper": {"model_type": "whisper", **WHISPER},
}


def save_encoder(folder: Path, kind: str, *, seed: int = 0) -> Path:
    """Weights, configuration and feature extractor of one of `KINDS`."""
    import transformers

    torch.manual_seed(seed)
    settings = transformers.AutoConfig.for_model(**KINDS[kind])
    name = {"wav2vec2": "Wav2Vec2", "hubert": "Hubert", "whisper": "Whisper"}[settings.model_type]
    model = getattr(transformers, f"{name}Model")(settings)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):  # as if it had been trained
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
    model.save_pretrained(folder)
    extractor(kind).save_pretrained(folder)
    return folder


def extractor(kind: str) -> Any:
    """The library's own way from a waveform to such an encoder's input."""
    import transformers

    if kind == "whisper":
        return transformers.WhisperFeatureExtractor(chunk_length=3)
    return transformers.Wav2Vec2FeatureExtractor(do_normalize=True)

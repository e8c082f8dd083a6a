"""Values of params.yaml that were copied from another setting, left over from an experiment or mistaken."""

from ..fault import Fault

RANK = "finetune_rank."
INSTRUCTION = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: "

FAULTS = (
    Fault(
        name="cosines-without-temperature",
        about="parameters",
        sentence="Cosines go into the softmax with a fixed scale of 1, so that even a perfect ranking has a loss "
        "near that of chance and training hardly moves. Set similarity.scale to 20 and let it learn.",
        source="ST#3054; MultipleNegativesRankingLoss, argument scale",
        mendable=True,
        settings={RANK + "similarity.scale": 1.0, RANK + "similarity.learn_scale": False},
    ),
    Fault(
        name="dot-products-with-a-scale-for-cosines",
        about="parameters",
        sentence="Training scores by dot products of vectors that are not of unit length, with the scale that is "
        "meant for cosines. Set similarity.kind to cosine, or the scale to 1.",
        source="ST#2770; sbert.net on dot_score with scale 1; vecscope metric_mismatch",
        mendable=True,
        settings={RANK + "similarity.kind": "dot"},
    ),
    Fault(
        name="checkpoint-chosen-by-training-accuracy",
        about="parameters",
        sentence="The kept weights are those with the best accuracy on training queries, after ten rounds at a high "
        "learning rate: an overfitted model. Choose them by a metric of the dev set.",
        source="ST#2749, transformers#31450 (metric_for_best_model of the wrong set)",
        mendable=True,
        settings={
            RANK + "early_stopping.metric": "train_mrr",
            RANK + "early_stopping.evaluations": 10,
            RANK + "early_stopping.patience": 10,
            RANK + "epochs": 10,
            RANK + "encoder_learning_rate": 1.0e-3,
            RANK + "learning_rate": 1.0e-3,
        },
    ),
    Fault(
        name="matryoshka-without-the-full-width",
        about="parameters",
        sentence="The Matryoshka dimensions are 4 and 8 alone: only the first 8 features are trained, and the "
        "vectors that are used have all of them. Add the full width to the dimensions.",
        source="ST MatryoshkaLoss (the full dimension belongs in matryoshka_dims); arXiv:2205.13147",
        mendable=True,
        settings={
            RANK + "objectives.rank.matryoshka.dims": [4, 8],
            RANK + "objectives.rank.matryoshka.weights": [1.0, 1.0],
        },
    ),
    Fault(
        name="distillation-holds-the-model",
        about="parameters",
        sentence="Distillation from the pretrained encoder has a weight of 200, so training can change nothing: the "
        "tuned model stays the pretrained one. Lower distillation.weight to about 1.",
        source="AnglE README on forgetting; L2-SP and learning without forgetting, arXiv:1606.09282",
        mendable=True,
        settings={RANK + "distillation.weight": 200.0, RANK + "distillation.loss": "mse"},
    ),
    Fault(
        name="two-updates-in-all",
        about="parameters",
        sentence="With 64 accumulated batches a step the whole training makes one to three updates. Lower "
        "gradient_accumulation_steps to 1 or train for more epochs.",
        source="FE#178, ST#2916, ST#3149",
        mendable=True,
        settings={RANK + "gradient_accumulation_steps": 64},
    ),
    Fault(
        name="encoder-frozen-to-the-end",
        about="parameters",
        sentence="freeze_steps is 0.97, left over from training a head first: the encoder learns in the last steps "
        "alone, at a rate that has decayed to nothing. Set freeze_steps to 0.",
        source="ST#680, HF#400; arXiv:1801.06146 on gradual unfreezing",
        mendable=True,
        settings={RANK + "freeze_steps": 0.97},
    ),
    Fault(
        name="random-head-of-eight-features",
        about="parameters",
        sentence="A new random head squeezes the vectors to 8 features, which throws away what the pretrained "
        "encoder knew. Use no head or a residual one, or keep the full width.",
        source="ST#1615 (Dense of 64 features with Tanh on MiniLM)",
        mendable=True,
        settings={RANK + "head.kind": "mlp", RANK + "head.hidden": 8, RANK + "head.output": 8},
    ),
    Fault(
        name="head-dropout-of-nine-tenths",
        about="parameters",
        sentence="The head drops 95 % of its features in training (a keep probability was taken for a dropout rate), "
        "so it learns next to nothing. Set head.dropout to 0.1.",
        source="DeepCrime (ISSTA 2021), operator RCD; Keras and TensorFlow 1: keep_prob against rate",
        mendable=True,
        settings={
            RANK + "head.kind": "mlp",
            RANK + "head.hidden": 384,
            RANK + "head.output": 384,
            RANK + "head.dropout": 0.95,
        },
    ),
    Fault(
        name="only-the-ends-are-read",
        about="parameters",
        sentence="head_share is 0 and an answer has 32 tokens: the encoder reads only the last lines of each "
        "article. Raise prepare.tokens.answer and take the beginning, too.",
        source="HF#1666, ST#4060; Sun et al. 2019, arXiv:1905.05583",
        mendable=True,
        settings={
            "prepare.selection.answer": "head_tail",
            "prepare.head_share": 0.0,
            "prepare.tokens.answer": 32,
        },
    ),
    Fault(
        name="conversations-read-as-questions",
        about="parameters",
        sentence="prepare.types counts conversations as questions, which are cut to few tokens. Leave prepare.types "
        "empty.",
        source="ST#285 (a limit in characters taken for one in tokens); own parameter",
        mendable=True,
        settings={"prepare.types": {"conversation": "question"}, "prepare.tokens.question": 16},
    ),
    Fault(
        name="instruction-of-another-encoder",
        about="parameters",
        sentence="Queries get the instruction of E5-Mistral, which this encoder never saw, and lose a third of their "
        "tokens to it. Remove encoder.prompts.",
        source="FE#283, unilm#1325; ST skill (prompts of another model)",
        mendable=True,
        settings={"encoder.prompts": {"query": INSTRUCTION, "document": ""}},
    ),
    Fault(
        name="pooled-by-the-last-token",
        about="parameters",
        sentence="The vector is taken from the last token, as decoders do, though this encoder was trained with the "
        "mean. Set encoder.pooling to auto or mean.",
        source="Echo#24, zoteus#51; E5-Mistral's last_token_pool copied to BERT",
        mendable=True,
        settings={"encoder.pooling": "lasttoken"},
    ),
    Fault(
        name="one-layer-kept",
        about="parameters",
        sentence="keep_layers is 1: five of six layers of the pretrained encoder were thrown away without "
        "distillation. Set it to 0.",
        source="Sajjad et al. 2020, arXiv:2004.03844 (what dropping layers costs)",
        mendable=True,
        settings={"encoder.keep_layers": 1},
    ),
    Fault(
        name="encoder-gets-no-gradient",
        about="parameters",
        sentence="encoder_gradient_scale of the ranking objective is 0, left over from training with other tasks: "
        "nothing of the encoder learns to rank. Set it to 1.",
        source="arXiv:2001.06782 and multi-task recipes; HF#400 (nothing moves)",
        mendable=True,
        settings={RANK + "objectives.rank.encoder_gradient_scale": 0.0},
    ),
)

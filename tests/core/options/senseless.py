"""Settings that make no sense, by key: each value must be refused by one line that names the key.

Values are YAML, as in params.yaml, and ` | ` stands between two of them. `labels` and `range` are of the two sources
that `PAIRS` adds to the shipped parameters.
"""

PAIRS = [
    {"name": "nli", "path": "nli.csv", "use": "train", "kind": "classes", "labels": {"yes": 1.0, "no": 0.0}},
    {"name": "sts", "path": "sts.csv", "use": "dev", "kind": "scores", "range": [0.0, 5.0]},
]

VALUES = """
seed: -1 | 4294967296 | 1.5 | .nan | .inf | "7" | true | null | [7]
launch: "" | null | 3 | true | [python]
report_to: none | null | [3] | [comet] | {wandb: true}
inits: base | null | [""] | ["../base"] | [3] | {base: 1}
systems: {} | [] | null | tfidf | {"../x": {kind: bm25, role: baseline, made_of: x}}
systems.base.kind: "" | neural | null | 3
systems.base.role: "" | judge | null
systems.base.made_of: "" | null | 3
systems.base.pooling: "" | median | null
systems.base.expected: 0.5 | [0.5] | {"ndcg@10": 52.0} | {"ndcg@10": "high"} | null
systems.nearest-query.own_score: 1 | "yes" | null
systems.classifier.C: [] | 1.0 | [0] | [-1.0] | [.nan] | ["1"] | null
systems.fusion.of: base | [3] | [""] | null
systems.fusion.fuse: "" | first | null | 3
systems.fusion.lexical: "" | words | null | true
systems.fusion.method: "" | sum | null | 3
systems.fusion.normalise: "" | softmax | null | 3
systems.base.model: null | 3 | [a]
systems.base.depth: 0 | -1 | 1.5 | "5" | true | null
systems.base.similarity: "" | euclidean | null
systems.base.store: "" | int4 | null | 8
systems.base.dims: -1 | 1.5 | 10000000000 | "128" | true | null
systems.base.rescore: -1 | 1.5 | 100000 | "100" | true | null
systems.base.format: "" | int8 | null | 8
systems.base.layers: -1 | 1.5 | 10000000000 | "4" | true | null
systems.base-tuned.starts_from: "" | tfidf | null | 3
encoder: null | [] | embedded | 3
encoder.source: "" | null | 3 | true | [embedded]
encoder.revision: null | 3 | true | [a]
encoder.prompts: "" | all | null | 3 | [query] | {query: 3} | {passage: "p: "} | {query: null}
encoder.pooling: "" | median | null | 1 | [mean]
encoder.precision: fp8 | 16 | null | BF16
encoder.attention_dropout: -0.1 | 1 | 1.0 | 5 | .nan | "0.1" | true | null
encoder.batch_tokens: 0 | -1 | 1.5 | 1000000000 | .inf | "8192" | true | null | [8192]
encoder.trust_remote_code: 1 | 0 | "yes" | "false" | null | []
encoder.readout: "" | whitened | null | 3
encoder.keep_layers: -1 | 1.5 | 100000 | "6" | true | null
prepare.source: "" | null | 3 | []
prepare.hub: null | 3 | [set]
prepare.files: null | [] | auto
prepare.files.encoding: "" | utf-9 | rot13 | zip | null | 3
prepare.files.quoting: "" | always | null | true
prepare.files.numbers: null | comma | [point] | [comma, comma] | {comma: true}
prepare.corrections: "" | null | 3 | []
prepare.types: null | [] | chat | {chat: talk} | {chat: 1} | {chat: null}
prepare.relevant_from: -1 | .nan | .inf | "2" | true | null
prepare.short_conversation: -1 | 1.5 | 10000000 | "100" | true | null
prepare.split.by: "" | random | null | 3
prepare.split.dev: -0.1 | 1 | 1.5 | .nan | .inf | "0.1" | true | null | 0.7
prepare.split.test: -0.1 | 1.0 | 35 | -.inf | "0.1" | false | null
prepare.split.test_alone: "" | train | true | null
prepare.labels: null | [] | 100
prepare.labels.queries: -1 | 1.5 | "100" | true | null
prepare.labels.answers: 0 | -0.5 | 1.5 | 50 | .nan | "0.5" | true | null
prepare.pseudo_queries: null | [] | 3
prepare.pseudo_queries.per_answer: -1 | 1.5 | "3" | true | null
prepare.pseudo_queries.of: "" | some | null | 3
prepare.pseudo_queries.within: 0 | -1 | 1.5 | "3" | true | null
prepare.near_duplicate: 0 | -0.5 | 1.1 | 80 | .nan | high | true | null
prepare.max_rejected: -0.01 | 1.5 | 100 | .nan | "0.01" | true | null
prepare.tokens.question: 0 | -5 | 64.5 | 1000000 | .nan | "64" | true | null
prepare.tokens.conversation: 0 | -5 | 256.5 | 1000000 | "256" | true | null
prepare.tokens.answer: 0 | -5 | 256.5 | 1000000 | "256" | true | null
prepare.tokens.pair: 0 | -5 | 128.5 | 1000000 | "128" | true | null
prepare.selection.question: "" | middle | null | 1
prepare.selection.conversation: "" | middle | null | 1
prepare.selection.answer: "" | middle | null | [head]
prepare.head_share: -0.1 | 1.1 | 25 | .nan | "0.25" | true | null
prepare.pairs.folder: null | 3 | []
prepare.pairs.sources: null | nli.csv | {} | [nli.csv]
prepare.pairs.sources[0].name: "" | null | 3
prepare.pairs.sources[1].name: nli
prepare.pairs.sources[0].use: validation | null | [train]
prepare.pairs.sources[0].kind: regression | null
prepare.pairs.sources[0].path: "" | null | 3
prepare.pairs.sources[0].columns: null | label | {lable: x} | {label: 3} | []
prepare.pairs.sources[0].hub: null | 3
prepare.pairs.sources[0].labels: {} | {yes: 2} | {yes: -1} | {yes: .nan} | {yes: "1"} | {0: 1.0} | [1.0] | row | null
prepare.pairs.sources[0].classes: [yes, yes] | yes | [1] | null
prepare.pairs.sources[0].range: [0, 5] | 5 | null
prepare.pairs.sources[1].range: [] | [5] | [5, 0] | [0, 0] | [0, .nan] | [0, .inf] | [0, 1, 2] | [0, "5"] | null
prepare.pairs.sources[0].max_samples: -1 | 1.5 | 10000000000 | "5" | true | null
prepare.ratings.read: 1 | "no" | null
prepare.ratings.source: "" | null | 3
prepare.ratings.test: null | 3 | [test.csv]
prepare.ratings.unlabelled: null | 3 | [more.csv]
prepare.ratings.id: "" | null | 3
prepare.ratings.text: null | {title: "", body: "", answer: ""} | [question]
prepare.ratings.text.title: null | 3
prepare.ratings.text.body: null | 3
prepare.ratings.text.answer: null | 3
prepare.ratings.group: "" | null | 3
prepare.ratings.targets: null | helpful | [3] | [a, a] | [qa_id] | {a: 1}
prepare.ratings.exclude: null | helpful | [3]
prepare.ratings.rescale: null | [] | {a: []} | {a: [1]} | {a: [5, 1]} | {a: [1, 1]} | {a: [0, .inf]} | {qa_id: [0, 5]}
prepare.ratings.folds: 0 | 1 | -5 | 2.5 | 1000000 | .nan | "5" | true | null
prepare.ratings.layout: "" | apart | null | 2
prepare.ratings.allocation: "" | greedy | null | 2
prepare.ratings.tokens: {title: 0, body: 0, answer: 0} | null | 512
prepare.ratings.tokens.title: -1 | 2.5 | 1000000 | "26" | true | null
prepare.ratings.tokens.body: -1 | 2.5 | 1000000 | "260" | true | null
prepare.ratings.tokens.answer: -1 | 2.5 | 1000000 | "210" | true | null
prepare.ratings.head_share: -0.1 | 1.5 | .nan | "0.5" | true | null
preflight.stop_on: "" | warning | null | true
pretrain_barlow.steps: -1 | 1.5 | 1000000000 | .inf | "30" | true | null
pretrain_barlow.batch_size: 0 | 1 | -8 | 128.5 | 10000000 | "128" | true | null
pretrain_barlow.batches: "" | random | null | 3
pretrain_barlow.views: [] | query-answer | [query] | [query-answer, query-answer] | [3] | null
pretrain_barlow.texts: null | [] | span
pretrain_barlow.texts.span: [] | [0.5] | 0.5 | [0, 0.5] | [0.2, 1.0] | [0.5, 0.2] | ["0.2", 0.5] | null
pretrain_barlow.texts.kept_words: 0 | 1 | -0.4 | 40 | .nan | "0.4" | true | null
pretrain_barlow.texts.per_text: 0 | -1 | 1.5 | 10000 | "4" | true | null
pretrain_barlow.objective: "" | simclr | null | 3
pretrain_barlow.redundancy_weight: -0.005 | 1000000 | .nan | "0.005" | true | null
pretrain_barlow.temperature: 0 | -0.05 | 10000 | .nan | "0.05" | true | null
pretrain_barlow.projector: -1 | 1.5 | 10000000 | "2048" | true | null
pretrain_barlow.early_stopping: null | [] | map
pretrain_barlow.early_stopping.metric: null | 3 | [a]
pretrain_barlow.early_stopping.eval_steps: -1 | 1.5 | 1000000000 | "0" | true | null
pretrain_barlow.early_stopping.evaluations: 0 | -1 | 1.5 | 10000000 | "4" | true | null
pretrain_barlow.early_stopping.patience: 0 | -1 | 1.5 | 10000000 | "4" | true | null
pretrain_barlow.head: mlp | null | []
pretrain_barlow.head.kind: "" | linear | null | 3
pretrain_barlow.head.hidden: 0 | -1 | 384.5 | 10000000 | "384" | true | null
pretrain_barlow.head.output: 0 | -1 | 384.5 | 10000000 | "384" | true | null
pretrain_barlow.head.dropout: -0.1 | 1 | 1.5 | .nan | "0.1" | true | null
pretrain_barlow.head.experts: 0 | -1 | 2.5 | 1000000 | "4" | true | null
pretrain_barlow.head.top: 0 | -1 | 2.5 | 1000000 | "4" | true | null
pretrain_barlow.head.balance: -1 | .inf | 10000000 | "0" | true | null
pretrain_barlow.train: "" | first | null | 3
pretrain_barlow.last_layers: 0 | -1 | 1.5 | 100000 | "1" | true | null
pretrain_barlow.freeze_steps: -1 | 1000000000 | .nan | "0" | true | null
pretrain_barlow.unfreeze_every: -1 | 1.5 | 1000000000 | "0" | true | null
pretrain_barlow.unfreeze: "" | middle | null
pretrain_barlow.learning_rate: -0.0001 | 1.5 | .nan | .inf | "1e-4" | true | null | [0.001]
pretrain_barlow.encoder_learning_rate: -0.0001 | 20 | .nan | "2e-5" | true | null
pretrain_barlow.layer_decay: 0 | -0.9 | 1.1 | .nan | "0.9" | true | null
pretrain_barlow.weight_decay: -0.01 | 100 | .nan | "0.01" | true | null
pretrain_barlow.warmup_ratio: -0.1 | 5 | 1.01 | .nan | "0.1" | true | null
pretrain_barlow.lr_scheduler: "" | cubic | null | 3
pretrain_barlow.max_grad_norm: 0 | -1 | 1.0e+12 | .nan | .inf | "1" | true | null
pretrain_barlow.gradient_accumulation_steps: 0 | -1 | 1.5 | 1000000 | "1" | true | null
pretrain_barlow.cache_tokens: -1 | 1.5 | 1000000000 | "0" | true | null
pretrain_barlow.gradient_checkpointing: 1 | "no" | null
pretrain_barlow.shard_encoder: 1 | "no" | null | true
pretrain_barlow.lora.rank: -1 | 1.5 | 100000 | "8" | true | null | 8
pretrain_barlow.lora.alpha: 0 | -16 | 1.5 | 1000000 | "16" | true | null
pretrain_barlow.lora.dropout: -0.1 | 1 | .nan | "0" | true | null
finetune_rank.epochs: -1 | 1000000 | .nan | .inf | "2" | true | null
finetune_rank.max_steps: -1 | 1.5 | 1000000000 | "0" | true | null
finetune_rank.batch_size: 0 | -1 | 32.5 | 10000000 | .nan | "32" | true | null
finetune_rank.objectives: null | rank | []
finetune_rank.objectives.rank.weight: -1 | .nan | .inf | 10000000 | "1" | true | null | 0
finetune_rank.objectives.rank.freeze_encoder: 1 | "no" | null
finetune_rank.objectives.rank.start_step: -1 | 1.5 | 1000000000 | "0" | true | null | 5
finetune_rank.objectives.rank.learning_rate: -1 | 2 | .nan | "0" | true | null
finetune_rank.objectives.rank.encoder_gradient_scale: -1 | .nan | 10000000 | "1" | true | null
finetune_rank.objectives.rank.cross_entropy.weight: -1 | .nan | 10000000 | "1" | true | null
finetune_rank.objectives.rank.matryoshka.dims: 64 | [0] | [-1] | [64, 32] | [64, 64] | [64.5] | ["64"] | null
finetune_rank.objectives.rank.matryoshka.weights: 1 | [0] | [-1] | [.nan] | ["1"] | [1] | null
finetune_rank.objectives.similarity.weight: -1 | .nan | 10000000 | "1" | true | null
finetune_rank.objectives.similarity.freeze_encoder: 1 | "no" | null
finetune_rank.objectives.similarity.start_step: -1 | 1.5 | 1000000000 | "0" | true | null
finetune_rank.objectives.similarity.learning_rate: -1 | 2 | .nan | "0" | true | null
finetune_rank.objectives.similarity.encoder_gradient_scale: -1 | .nan | 10000000 | "1" | true | null
finetune_rank.objectives.similarity.head.kind: "" | experts | null
finetune_rank.objectives.similarity.head.hidden: 0 | -1 | 1.5 | 10000000 | "384" | true | null
finetune_rank.objectives.similarity.head.output: 0 | -1 | 1.5 | 10000000 | "384" | true | null
finetune_rank.objectives.similarity.head.dropout: -0.1 | 1 | .nan | "0.1" | true | null
finetune_rank.objectives.similarity.batch_size: 0 | -1 | 1.5 | 10000000 | "32" | true | null
finetune_rank.objectives.similarity.cosine.weight: -1 | .nan | 10000000 | "1" | true | null
finetune_rank.objectives.similarity.cosine.temperature: 0 | -0.05 | 100000 | .nan | .inf | "0.05" | true | null
finetune_rank.objectives.similarity.angle.weight: -1 | .nan | 10000000 | "1" | true | null
finetune_rank.objectives.similarity.angle.temperature: 0 | -1 | 100000 | .nan | "1" | true | null
finetune_rank.objectives.similarity.angle_signed.weight: -1 | .nan | 10000000 | "1" | true | null
finetune_rank.objectives.similarity.angle_signed.temperature: 0 | -1 | 100000 | .nan | "1" | true | null
finetune_rank.objectives.similarity.in_batch.weight: -1 | .nan | 10000000 | "1" | true | null
finetune_rank.objectives.similarity.in_batch.temperature: 0 | -1 | 100000 | .nan | "1" | true | null
finetune_rank.objectives.similarity.contrastive.weight: -1 | .nan | 10000000 | "1" | true | null
finetune_rank.objectives.similarity.contrastive.temperature: 0 | -1 | 100000 | .nan | "1" | true | null
finetune_rank.objectives.similarity.mse.weight: -1 | .nan | 10000000 | "1" | true | null
finetune_rank.objectives.similarity.positive_from: -0.1 | 1.5 | .nan | "0.9" | true | null
finetune_rank.objectives.similarity.negative_to: -0.1 | 1.5 | .nan | "0.1" | true | null
finetune_rank.objectives.similarity.matryoshka.dims: 64 | [0] | [64, 32] | [64, 64] | null
finetune_rank.objectives.similarity.matryoshka.weights: 1 | [0] | [1] | null
finetune_rank.objectives.similarity.espresso.layers: some | [0] | [-1] | [1, 1] | [1.5] | 3 | null
finetune_rank.objectives.similarity.espresso.dims: 64 | [0] | [64, 32] | [64, 64] | ["64"] | null
finetune_rank.objectives.similarity.espresso.align_weight: -1 | .nan | 10000000 | "0" | true | null
finetune_rank.objectives.classification.weight: -1 | .nan | 10000000 | "1" | true | null
finetune_rank.objectives.classification.freeze_encoder: 1 | "no" | null
finetune_rank.objectives.classification.start_step: -1 | 1.5 | 1000000000 | "0" | true | null
finetune_rank.objectives.classification.learning_rate: -1 | 2 | .nan | "0" | true | null
finetune_rank.objectives.classification.encoder_gradient_scale: -1 | .nan | 10000000 | "1" | true | null
finetune_rank.objectives.classification.head.kind: "" | experts | null
finetune_rank.objectives.classification.head.hidden: 0 | -1 | 1.5 | 10000000 | "384" | true | null
finetune_rank.objectives.classification.head.output: 0 | -1 | 1.5 | 10000000 | "384" | true | null
finetune_rank.objectives.classification.head.dropout: -0.1 | 1 | .nan | "0.1" | true | null
finetune_rank.objectives.classification.of: "" | answers | null
finetune_rank.objectives.classification.batch_size: 0 | -1 | 1.5 | 10000000 | "32" | true | null
finetune_rank.objectives.ratings.weight: -1 | .nan | 10000000 | "1" | true | null
finetune_rank.objectives.views.weight: -1 | .nan | 10000000 | "1" | true | null
finetune_rank.objectives.views.freeze_encoder: 1 | "no" | null
finetune_rank.objectives.views.start_step: -1 | 1.5 | 1000000000 | "0" | true | null
finetune_rank.objectives.views.learning_rate: -1 | 2 | .nan | "0" | true | null
finetune_rank.objectives.views.encoder_gradient_scale: -1 | .nan | 10000000 | "1" | true | null
finetune_rank.objectives.views.batch_size: 0 | 1 | 1.5 | 10000000 | "64" | true | null
finetune_rank.objectives.views.views: [] | deletion | [query] | [deletion, deletion] | [3] | null
finetune_rank.objectives.views.texts.span: [] | [0.5] | [0, 0.5] | [0.5, 0.2] | null
finetune_rank.objectives.views.texts.kept_words: 0 | 1 | .nan | "0.4" | true | null
finetune_rank.objectives.views.texts.per_text: 0 | 1.5 | 10000 | "4" | true | null
finetune_rank.objectives.views.objective: "" | simclr | null | 3
finetune_rank.objectives.views.redundancy_weight: -1 | .nan | "0.005" | true | null
finetune_rank.objectives.views.temperature: 0 | .nan | "0.05" | true | null
finetune_rank.objectives.ratings.freeze_encoder: 1 | "no" | null
finetune_rank.objectives.ratings.start_step: -1 | 1.5 | 1000000000 | "0" | true | null
finetune_rank.objectives.ratings.learning_rate: -1 | 2 | .nan | "0" | true | null
finetune_rank.objectives.ratings.encoder_gradient_scale: -1 | .nan | 10000000 | "1" | true | null
finetune_rank.objectives.ratings.head.kind: "" | experts | null
finetune_rank.objectives.ratings.head.hidden: 0 | -1 | 1.5 | 10000000 | "384" | true | null
finetune_rank.objectives.ratings.head.output: 0 | -1 | 1.5 | 10000000 | "384" | true | null
finetune_rank.objectives.ratings.head.dropout: -0.1 | 1 | .nan | "0.1" | true | null
finetune_rank.objectives.ratings.batch_size: 0 | -1 | 1.5 | 10000000 | "16" | true | null
finetune_rank.objectives.ratings.encoders: "" | three | null | 2
finetune_rank.objectives.ratings.layer_means: 1 | "no" | null
finetune_rank.objectives.ratings.bce.weight: -1 | .nan | 10000000 | "1" | true | null
finetune_rank.objectives.ratings.weighted_bce.weight: -1 | .nan | 10000000 | "1" | true | null
finetune_rank.objectives.ratings.focal.weight: -1 | .nan | 10000000 | "1" | true | null
finetune_rank.objectives.ratings.focal.gamma: -1 | 0.5 | 1000 | .nan | "2" | true | null
finetune_rank.objectives.ratings.mse.weight: -1 | .nan | 10000000 | "1" | true | null
finetune_rank.objectives.ratings.rank_correlation.weight: -1 | .nan | 10000000 | "1" | true | null
finetune_rank.objectives.ratings.rank_correlation.temperature: 0 | -1 | 100000 | .nan | "1" | true | null
finetune_rank.objectives.ratings.smoothing: -0.1 | 1.5 | .nan | "0" | true | null
finetune_rank.objectives.ratings.pseudo_labels.rounds: -1 | 1.5 | 10000 | "0" | true | null
finetune_rank.objectives.ratings.pseudo_labels.weight: -1 | .nan | 10000000 | "1" | true | null
finetune_rank.tasks.sampling: "" | random | null
finetune_rank.tasks.temperature: 0 | -2 | 100000 | .nan | "2" | true | null
finetune_rank.tasks.weighting: "" | learnt | null
finetune_rank.tasks.embeddings: 1 | "no" | null
finetune_rank.tasks.cross_attention: 1 | "no" | null
finetune_rank.distillation.weight: -1 | .nan | 10000000 | "1" | true | null
finetune_rank.distillation.teacher: "" | null | 3
finetune_rank.distillation.of: "" | logits | null
finetune_rank.distillation.loss: "" | mae | null
finetune_rank.distillation.temperature: 0 | -1 | 100000 | .nan | "1" | true | null
finetune_rank.reranker.model: 3 | null
finetune_rank.reranker.weight: -1 | 10000000 | .nan | "1" | true | null
finetune_rank.reranker.loss: "" | mse | null
finetune_rank.reranker.depth: 0 | -1 | 1.5 | 100000 | "8" | true | null
finetune_rank.reranker.temperature: 0 | -1 | 100000 | .nan | "1" | true | null
finetune_rank.reranker.filter_negatives: "" | 1 | null | "true"
finetune_rank.reranker.margin: -100000 | 100000 | .nan | "0" | true | null
finetune_rank.candidates: "" | some | null | 100
finetune_rank.hard_negatives.count: -1 | 1.5 | 1000000 | "0" | true | null
finetune_rank.hard_negatives.margin: -0.1 | 1.5 | .nan | "0.05" | true | null
finetune_rank.hard_negatives.refresh: -1 | 1000000 | .nan | "1" | true | null
finetune_rank.refresh_kept: -0.1 | 1000000 | "0.25" | true | null
finetune_rank.max_candidates: 0 | 1 | -1 | 1.5 | 10000000000 | "5000" | true | null
finetune_rank.same_answer: "" | positive | null
finetune_rank.similarity.kind: "" | euclidean | null
finetune_rank.similarity.scale: 0 | -20 | 1000000 | .nan | .inf | "20" | true | null
finetune_rank.similarity.learn_scale: 1 | "no" | null
finetune_rank.encoders: "" | two | null
finetune_rank.barlow_head: "" | keep | null
finetune_rank.head.kind: "" | linear | null
finetune_rank.head.hidden: 0 | -1 | 1.5 | 10000000 | "768" | true | null
finetune_rank.head.output: 0 | -1 | 1.5 | 10000000 | "384" | true | null
finetune_rank.head.dropout: -0.1 | 1 | 1.5 | .nan | "0.3" | true | null
finetune_rank.head.experts: 0 | -1 | 1.5 | 1000000 | "4" | true | null
finetune_rank.head.top: 0 | -1 | 1.5 | 1000000 | "4" | true | null
finetune_rank.head.balance: -1 | .nan | 10000000 | "0" | true | null
finetune_rank.train: "" | first | null
finetune_rank.last_layers: 0 | -1 | 1.5 | 100000 | "2" | true | null
finetune_rank.freeze_steps: -1 | 1000000000 | .nan | "0" | true | null
finetune_rank.unfreeze_every: -1 | 1.5 | 1000000000 | "0" | true | null
finetune_rank.unfreeze: "" | middle | null
finetune_rank.range_test.factors: 1.0 | [0] | [-1.0] | ["1"] | [.nan] | null
finetune_rank.range_test.steps: 0 | -1 | 1.5 | "50" | true | null
finetune_rank.early_stopping.metric: null | 3 | [map@10_all]
finetune_rank.early_stopping.eval_steps: -1 | 1.5 | 1000000000 | "0" | true | null
finetune_rank.early_stopping.evaluations: 0 | -1 | 1.5 | 1000000 | "2" | true | null
finetune_rank.early_stopping.patience: 0 | -1 | 1.5 | 1000000 | "1" | true | null
finetune_rank.learning_rate: -0.0001 | 1.5 | .nan | .inf | "1e-4" | true | null
finetune_rank.encoder_learning_rate: -0.0001 | 20 | .nan | "1e-4" | true | null
finetune_rank.layer_decay: 0 | -0.9 | 1.1 | .nan | "1" | true | null
finetune_rank.weight_decay: -0.01 | 100 | .nan | "0.01" | true | null
finetune_rank.warmup_ratio: -0.1 | 5 | 1.01 | .nan | "0.1" | true | null
finetune_rank.lr_scheduler: "" | cubic | null
finetune_rank.max_grad_norm: 0 | -1 | 1.0e+12 | .nan | "1" | true | null
finetune_rank.gradient_accumulation_steps: 0 | -1 | 1.5 | 1000000 | "1" | true | null
finetune_rank.cache_tokens: -1 | 1.5 | 1000000000 | "0" | true | null
finetune_rank.gradient_checkpointing: 1 | "no" | null
finetune_rank.shard_encoder: 1 | "no" | null | true
finetune_rank.lora.rank: -1 | 1.5 | 100000 | "8" | true | null | 8
finetune_rank.lora.alpha: 0 | -16 | 1.5 | 1000000 | "16" | true | null
finetune_rank.lora.dropout: -0.1 | 1 | .nan | "0" | true | null
evaluate.accuracy_cutoffs: [] | 10 | [0] | [-1] | [1, 1] | [1.5] | ["1"] | [true] | [10000000] | null
evaluate.map_cutoffs: [] | 10 | [0] | [-1] | [3, 3] | [1.5] | ["1"] | [true] | [10000000] | null
evaluate.ndcg_cutoffs: [] | 10 | [0] | [-1] | [10, 10] | [1.5] | ["1"] | [true] | [10000000] | null
evaluate.stemmer: klingon | null | 3
evaluate.pair_tokens: 0 | 2 | -1 | 128.5 | 1000000 | "128" | true | null
evaluate.keep: 0 | -1 | 1.5 | 100000000 | "100" | true | null
diagnose.metric: "" | accuracy | accuracy@7 | null | 3
diagnose.resamples: 0 | -1 | 10 | 1.5 | 1000000000 | "10000" | true | null
diagnose.level: -1 | 0 | 1 | 95 | .nan | .inf | "0.95" | true | null
"""

# By the key that the line names: settings, as after `-S`, that do not go together.
TOGETHER = {
    "prepare.split.dev": ["prepare.split.dev=0.5 prepare.split.test=0.5", "prepare.split.test=0.9"],
    "prepare.ratings.layout": ["prepare.ratings.layout=separate prepare.ratings.text.answer=''"],
    "prepare.ratings.targets": ["prepare.ratings.targets=[score] prepare.ratings.group=score"],
    "pretrain_barlow.batches": ["pretrain_barlow.batches=single_answer"],
    "pretrain_barlow.head.experts": [
        "pretrain_barlow.head.kind=experts pretrain_barlow.head.experts=1 pretrain_barlow.head.top=1",
        "pretrain_barlow.head.kind=experts pretrain_barlow.head.top=5",
    ],
    "pretrain_barlow.freeze_steps": [
        "pretrain_barlow.train=all pretrain_barlow.freeze_steps=100",
        "pretrain_barlow.train=last pretrain_barlow.freeze_steps=101",
    ],
    "pretrain_barlow.shard_encoder": ["pretrain_barlow.train=last pretrain_barlow.shard_encoder=true"],
    "pretrain_barlow.lora.rank": ["pretrain_barlow.train=last pretrain_barlow.lora.rank=8"],
    "pretrain_barlow.cache_tokens": [
        "pretrain_barlow.train=all pretrain_barlow.shard_encoder=true pretrain_barlow.cache_tokens=4096"
    ],
    "finetune_rank.head.experts": ["finetune_rank.head.kind=experts finetune_rank.head.top=9"],
    "finetune_rank.freeze_steps": [
        "finetune_rank.train=all finetune_rank.max_steps=10 finetune_rank.freeze_steps=10",
    ],
    "finetune_rank.shard_encoder": [
        "finetune_rank.train=all finetune_rank.shard_encoder=true finetune_rank.lora.rank=8",
        "finetune_rank.train=head finetune_rank.shard_encoder=true",
    ],
    "finetune_rank.cache_tokens": [
        "finetune_rank.train=all finetune_rank.shard_encoder=true finetune_rank.cache_tokens=4096"
    ],
    "encoder.precision": [
        "encoder.precision=fp16 finetune_rank.train=all finetune_rank.shard_encoder=true",
        "encoder.precision=fp16 pretrain_barlow.train=all pretrain_barlow.shard_encoder=true",
    ],
    "finetune_rank.batch_size": ["finetune_rank.batch_size=1"],
    "finetune_rank.hard_negatives.count": ["finetune_rank.candidates=all finetune_rank.hard_negatives.count=3"],
    "finetune_rank.distillation.loss": [
        "finetune_rank.distillation.weight=1 finetune_rank.distillation.loss=kl",
        "finetune_rank.distillation.weight=1 finetune_rank.distillation.of=scores",
    ],
    "finetune_rank.reranker.weight": [
        "finetune_rank.reranker.weight=1",
        "finetune_rank.reranker.weight=1 finetune_rank.reranker.model=some finetune_rank.objectives.rank.weight=0 "
        "finetune_rank.objectives.similarity.weight=1",
    ],
    "finetune_rank.reranker.filter_negatives": [
        "finetune_rank.reranker.filter_negatives=true finetune_rank.hard_negatives.count=2",
        "finetune_rank.reranker.filter_negatives=true finetune_rank.reranker.model=some",
    ],
    "finetune_rank.tasks.weighting": [
        "finetune_rank.tasks.weighting=equal_gradient finetune_rank.tasks.sampling=equal",
        "finetune_rank.tasks.weighting=equal_gradient finetune_rank.tasks.sampling=temperature",
    ],
    "finetune_rank.tasks.cross_attention": ["finetune_rank.tasks.cross_attention=true"],
    "finetune_rank.objectives.rank.start_step": [
        "finetune_rank.objectives.rank.start_step=5 finetune_rank.objectives.similarity.weight=1 "
        "finetune_rank.objectives.similarity.start_step=3",
    ],
    "finetune_rank.objectives.rank.matryoshka.weights": [
        "finetune_rank.objectives.rank.matryoshka.dims=[32,64] finetune_rank.objectives.rank.matryoshka.weights=[1.0]",
    ],
    "finetune_rank.objectives.similarity.weight": [
        "finetune_rank.objectives.similarity.weight=1 finetune_rank.objectives.similarity.cosine.weight=0",
    ],
    "finetune_rank.objectives.similarity.negative_to": [
        "finetune_rank.objectives.similarity.weight=1 finetune_rank.objectives.similarity.negative_to=0.95",
    ],
    "finetune_rank.objectives.similarity.angle.weight": [
        "finetune_rank.objectives.similarity.weight=1 finetune_rank.objectives.similarity.angle.weight=1 "
        "finetune_rank.objectives.similarity.matryoshka={dims:[5],weights:[1.0]}",
        "finetune_rank.objectives.similarity.weight=1 finetune_rank.objectives.similarity.angle.weight=1 "
        "finetune_rank.train=all finetune_rank.objectives.similarity.espresso.dims=[5]",
    ],
    "finetune_rank.objectives.similarity.espresso.dims": [
        "finetune_rank.objectives.similarity.weight=1 finetune_rank.train=all "
        "finetune_rank.objectives.similarity.espresso.dims=[8] "
        "finetune_rank.objectives.similarity.matryoshka={dims:[8],weights:[1.0]}",
        "finetune_rank.objectives.similarity.weight=1 finetune_rank.objectives.similarity.espresso.dims=[8]",
        "finetune_rank.objectives.similarity.weight=1 finetune_rank.train=all finetune_rank.shard_encoder=true "
        "finetune_rank.objectives.similarity.espresso.dims=[8]",
        "finetune_rank.objectives.similarity.weight=1 finetune_rank.train=all "
        "finetune_rank.objectives.similarity.espresso.dims=[8] "
        "finetune_rank.objectives.similarity.freeze_encoder=true",
    ],
    "prepare.pairs.sources[0].name": ["prepare.ratings.read=true prepare.pairs.sources.0.name=ratings"],
    "finetune_rank.objectives.ratings.weight": [
        "finetune_rank.objectives.ratings.weight=1",
        "prepare.ratings.read=true "
        "finetune_rank.objectives.ratings.weight=1 finetune_rank.objectives.ratings.bce.weight=0",
    ],
    "finetune_rank.objectives.ratings.encoders": [
        "prepare.ratings.read=true "
        "finetune_rank.objectives.ratings.weight=1 finetune_rank.objectives.ratings.encoders=two",
        "prepare.ratings.read=true "
        "finetune_rank.objectives.ratings.weight=1 finetune_rank.objectives.ratings.encoders=two "
        "prepare.ratings.layout=separate finetune_rank.train=all finetune_rank.shard_encoder=true",
    ],
    "finetune_rank.objectives.ratings.layer_means": [
        "prepare.ratings.read=true "
        "finetune_rank.objectives.ratings.weight=1 finetune_rank.objectives.ratings.layer_means=true "
        "finetune_rank.train=all",
    ],
    "finetune_rank.early_stopping.metric": [
        "prepare.ratings.read=true "
        "finetune_rank.objectives.ratings.weight=1 finetune_rank.early_stopping.metric=ratings_spearman",
    ],
    "diagnose.metric": ["evaluate.accuracy_cutoffs=[3,10]"],
}

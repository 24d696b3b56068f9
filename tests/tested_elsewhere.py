"""Files of stages/ whose behaviour a test of another name holds: source -> test, below stages/ and tests/.

A file that has its mirror (stages/a/b.py and tests/stages/a/test_b.py) does not stand here. The test that is named
reaches the file by its imports; tests/test_mirrors.py says so where it does not.
"""

KERNELS = "stages/curation/kernels/test_loops.py"
KINDS = "stages/curation/score_kinds/test_kinds.py"
PRUNING = "stages/curation/pruning_metrics/test_pruning_scores.py"
RULES = "stages/curation/rules/test_rules.py"
CURATE_RUN = "stages/curate/run/test_run.py"
SEARCHES = "stages/curate/searches/test_searches.py"
IMAGE_STUDY = "stages/images/test_digits.py"
IMAGE_RUNS = "stages/proxy/images/test_train.py"
COMMANDS = "flows/test_cli.py"
EXPORTS = "stages/handing_over/test_export.py"
MLFLOW = "stages/runs/mlflow_store"
SEARCHED = "stages/searched/test_mixture.py"
COMPARED = "stages/run_tables/test_compare_table.py"

TESTED_ELSEWHERE = {
    # stages: each with its neighbours, on small data
    "stages/arms.py": "stages/curation/selecting/test_arm_views.py",
    "stages/settings/arms.py": "stages/curation/selecting/test_arm_views.py",
    "stages/searched/asked.py": "stages/searched/test_designed.py",
    "stages/pools/prompt_texts.py": "stages/pools/test_prompts.py",
    "stages/searched/kinds.py": "stages/foundation/test_stage.py",
    "stages/answers/answers.py": "stages/test_decide.py",
    "stages/answers/case.py": "stages/test_decide.py",
    "stages/answers/parts.py": "stages/test_decide.py",
    "stages/settings/decide.py": "stages/target/test_derived.py",
    "stages/target/ladder_words.py": "stages/target/test_ladder.py",
    "stages/pack.py": "stages/pool_scores/test_extra_scores.py",
    "stages/pools/copy_warnings.py": "stages/test_dedup.py",
    "stages/runs/judge_record.py": "stages/runs/test_suite.py",
    "stages/runs/checked.py": "stages/runs/test_run_files.py",
    "stages/runs/mlflow_store/datasets.py": f"{MLFLOW}/test_trunks.py",
    "stages/runs/mlflow_store/descriptions.py": f"{MLFLOW}/test_publish.py",
    "stages/runs/mlflow_store/links.py": f"{MLFLOW}/test_publish.py",
    "stages/runs/mlflow_store/metrics.py": f"{MLFLOW}/test_trunks.py",
    "stages/runs/mlflow_store/questions.py": f"{MLFLOW}/test_publish.py",
    "stages/runs/mlflow_store/tokenizer_model.py": f"{MLFLOW}/test_registry.py",
    "stages/pipeline.py": "stages/foundation/test_stage.py",
    "stages/foundation/artefacts.py": "test_policy.py",
    # questions that are searched for: whole records from known losses
    "stages/mixtures/mix_curves.py": "stages/mixtures/test_proposal.py",
    "stages/searched/compared.py": SEARCHED,
    "stages/presentation/phase_names.py": "stages/mixtures/test_phases.py",
    "stages/searched/record.py": SEARCHED,
    "stages/searched/repeats.py": SEARCHED,
    "stages/searched/swarm.py": SEARCHED,
    "stages/searched/verdict.py": SEARCHED,
    # assay export: whole exports, read back
    "stages/handing_over/payloads.py": EXPORTS,
    "stages/handing_over/record.py": EXPORTS,
    "stages/handing_over/scatter.py": EXPORTS,
    "stages/handing_over/shards.py": EXPORTS,
    "stages/handing_over/text_formats.py": EXPORTS,
    "stages/handing_over/token_formats.py": EXPORTS,
    "stages/handing_over/tokenised.py": EXPORTS,
    "stages/handing_over/whole_pool.py": "stages/handing_over/test_arm_documents.py",
    "stages/handing_over/work.py": EXPORTS,
    "stages/lineage/removal.py": "stages/handing_over/test_removed.py",
    # assay curate: whole runs, whose bytes are compared
    "stages/curate/run/estimate.py": "flows/commands/test_curate.py",
    "stages/curate/run/fitted.py": CURATE_RUN,
    "stages/curate/run/manifest.py": CURATE_RUN,
    "stages/curate/run/page.py": CURATE_RUN,
    "stages/curate/run/parts.py": CURATE_RUN,
    "stages/curate/run/shard.py": CURATE_RUN,
    "stages/curate/copies/alike_pairs.py": "stages/curate/copies/test_losers.py",
    "stages/curate/copies/shingle_files.py": "stages/curate/copies/test_losers.py",
    "stages/curate/searches/copy_keys.py": "stages/curate/copies/test_losers.py",
    "stages/curate/searches/drops.py": SEARCHES,
    "stages/curate/copies/edges.py": "stages/curate/copies/test_losers.py",
    "stages/curate/searches/embedding.py": "stages/curate/searches/test_semantic_search.py",
    "stages/curate/searches/line_cuts.py": SEARCHES,
    "stages/curate/work/manifest_file.py": CURATE_RUN,
    "stages/curate/work/staged.py": "stages/curate/run/test_bad_input.py",
    # one kind of measure a file, one test for all
    "stages/curation/pruning_metrics/el2n.py": PRUNING,
    "stages/curation/pruning_metrics/ensembles.py": PRUNING,
    "stages/curation/pruning_metrics/forgetting.py": PRUNING,
    "stages/curation/pruning_metrics/memorisation.py": PRUNING,
    "stages/curation/pruning_metrics/prototypes.py": "stages/curation/vectors/test_embeddings.py",
    "stages/curation/score_kinds/column.py": KINDS,
    "stages/curation/score_kinds/command.py": KINDS,
    "stages/curation/score_kinds/embedded.py": KINDS,
    "stages/curation/score_kinds/function.py": KINDS,
    "stages/curation/score_kinds/kind.py": KINDS,
    "stages/curation/score_kinds/nearest.py": KINDS,
    "stages/curation/score_kinds/ngram.py": KINDS,
    "stages/curation/score_kinds/proxy.py": KINDS,
    "stages/curation/score_kinds/saved.py": KINDS,
    "stages/curation/score_kinds/skills.py": KINDS,
    "stages/curation/score_kinds/transport.py": KINDS,
    # compiled loops: held to slow Python over whole texts
    "stages/curation/kernels/affixes.py": RULES,
    "stages/curation/kernels/alike.py": "stages/curation/duplicates/test_alike.py",
    "stages/curation/kernels/characters.py": RULES,
    "stages/curation/kernels/classes.py": RULES,
    "stages/curation/kernels/compiling.py": KERNELS,
    "stages/curation/kernels/lines.py": RULES,
    "stages/curation/kernels/minhash.py": "stages/curation/duplicates/test_minhash.py",
    "stages/curation/kernels/repetition.py": RULES,
    "stages/curation/kernels/types.py": KERNELS,
    "stages/curation/kernels/union.py": "stages/curation/duplicates/test_clusters.py",
    "stages/curation/kernels/words.py": RULES,
    # rules and the measures that they judge by: oracles over texts
    "stages/curation/rules/rule_list.py": RULES,
    "stages/curation/rules/rule_report.py": RULES,
    "stages/curation/text/c4_lines.py": RULES,
    "stages/curation/text/character_ratios.py": RULES,
    "stages/curation/text/lines.py": RULES,
    "stages/curation/text/page_measures.py": RULES,
    "stages/curation/text/repetition.py": RULES,
    "stages/curation/text/spans.py": "stages/curation/rules/test_cleaning.py",
    "stages/curation/duplicates/d4.py": "stages/curation/duplicates/test_semantic.py",
    "stages/curation/duplicates/reconstruction.py": "stages/curation/duplicates/test_containment.py",
    "stages/curation/sample_data/arrays.py": "stages/curation/sample_data/test_image_pools.py",
    "stages/curation/scores/model_card.py": "stages/curation/scores/test_quality_card.py",
    "stages/curation/scores/ngram_table.py": "stages/curation/scores/test_ngram_model.py",
    "stages/curation/vectors/products.py": "stages/curation/vectors/test_neighbours.py",
    "stages/decision/figures.py": "stages/test_report.py",
    "stages/laws/fitting/learnt_exponents.py": "stages/laws/fitting/test_hierarchy.py",
    "stages/laws/mixing/interacting.py": "stages/laws/mixing/test_process.py",
    "stages/laws/mixing/surface.py": "stages/laws/mixing/test_process.py",
    "stages/laws/mixing/polynomial.py": "stages/laws/mixing/test_process.py",
    "stages/laws/mixing/scales.py": "stages/laws/mixing/test_process.py",
    "stages/laws/mixing/tangent.py": "stages/laws/mixing/test_process.py",
    "stages/mixtures/mix_figures.py": "stages/mixtures/test_proposal.py",
    "stages/mixtures/wishes.py": "stages/mixtures/test_proposal.py",
    "stages/laws/mixtures_and_tasks/projektor_path.py": "stages/curation/scores/test_transport.py",
    "stages/pool_scores/proxy_scores.py": "stages/pool_scores/test_extra_scores.py",
    # images: the whole study on digits, and runs of the trainer
    "stages/images/pack.py": IMAGE_STUDY,
    "stages/images/pools.py": IMAGE_STUDY,
    "stages/images/scores.py": IMAGE_STUDY,
    "stages/images/sweep.py": IMAGE_STUDY,
    "stages/proxy/images/data.py": IMAGE_RUNS,
    "stages/proxy/images/model.py": IMAGE_RUNS,
    "stages/proxy/images/observe.py": IMAGE_RUNS,
    "stages/proxy/images/spec.py": IMAGE_RUNS,
    "stages/proxy/images/stack.py": IMAGE_RUNS,
    # workers: processes that are started and killed
    "stages/proxy/specs/outcome.py": "stages/proxy/workforce/test_backlog.py",
    "stages/proxy/training/rank_main.py": "stages/proxy/training/test_ranks.py",
    "stages/proxy/workforce/attempt.py": "stages/proxy/workforce/test_backlog.py",
    "stages/proxy/workforce/gpus.py": "stages/proxy/training/test_ranks.py",
    "stages/proxy/workforce/worker_main.py": "stages/proxy/workforce/test_workers.py",
    # tables of runs: the commands' results on small tables
    "stages/run_columns/positive.py": "stages/run_tables/test_fit_table.py",
    "stages/run_tables/arm_fits.py": "stages/run_tables/test_compare_arms.py",
    "stages/run_tables/candidates.py": "stages/laws/test_evidence_heldout.py",
    "stages/run_tables/compare_figures.py": COMPARED,
    "stages/run_tables/compare_rows.py": COMPARED,
    "stages/run_tables/fit_file.py": COMMANDS,
    "stages/run_tables/law_sheet.py": COMMANDS,
    "stages/settings/verify.py": "stages/test_verify.py",
    "stages/verification/outcome.py": "stages/test_verify.py",
    "stages/verification/record.py": "stages/verification/test_track_record.py",
    "stages/settings/curate.py": "stages/settings/test_params.py",
    "stages/settings/curate_searches.py": SEARCHES,
}

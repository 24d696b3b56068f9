"""Small proxy models trained on arms of a data pool; needs torch, numpy and pyarrow alone, so it
runs on a bare GPU box.

    packed    write_packed, Packed             tokenised documents on disk
    view      View                             an arm: rows and weights over a pack
    stream    Stream, Counts                   its token order, exact counts
    staged    reading, StagedStream            a curriculum: parts of a view one after the other
    course    Course                           a trunk's stream and that of its decays, counted together
    shrink    shrunk                           a view cut so that it repeats as often as a larger
                                               run's (simulated epoching)
    shape     Shape, whole_batches             model sizes and FLOPs
    spec      RunSpec, RunResult, ...          what goes in and what comes out, as JSON too
    schedule  Schedule, segments               learning rates and branches: wsd, wsd_s, power, cosine, constant
    transfer  factors                          lr, start and weight decay carried to other widths and depths
    noise_scale  gradient_noise_scale          an estimate of the critical batch
    evaluate  HeldOut                          held-out documents of a domain
    items     Items                            multiple choice and sampled tasks scored beside the losses
    data      ProxyData                        arms and domains by name
    train     train_group, train_run           train one run, or several of a shape as one batched model
    probe     measured_rates                   tokens/s by stack size, threads and precision
    kinds     kind_of, measured                runs that train equally fast, and how fast that is
    planner   packed                           how a sweep is packed, its expected time and cost
    progress  Progress                         loss, tokens/s, MFU and a time left that follows what is measured
    workers   run_groups                       many groups over worker processes
    gpus      gpus_held, train_on_gpus         leased cards: stacks spread over them, a large run on all
    experts, grow                              mixtures of experts, growth in depth
    backlog   train_here                       the same in this process, and what becomes of a group that failed
    memory    training_bytes, runs_that_fit    what a group needs and what there is

Only packed, view, stream, shape, spec, schedule, stack, outcome, backlog and workers load without
torch.

    pool = write_packed("data/packed/pool", documents, vocab_size=512, eos_id=0)
    every = View(pool, np.arange(pool.n_documents), arm="all")
    data = ProxyData({"all": every}, {"web": HeldOut(held_out)})
    spec = RunSpec(arm="all", shape=Shape.named("25k"), budgets_tokens=(65_536, 262_144))
    [result] = train_group([spec], data)
"""

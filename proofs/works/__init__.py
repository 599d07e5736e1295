"""The ledgers that come beside the paper's: six neighbouring works, and theorems that are nobody's yet.

label_only           gradients that know the label alone (Li, Doroslovački, Loew 2020)
infocam              log SoftMax as pointwise mutual information, infoCAM (Qin, Kim, Gedeon 2019)
balanced_softmax     Balanced SoftMax and its meta sampler (Ren et al. 2020)
admm_softmax         multinomial logistic regression by ADMM (Fung et al. 2019)
incremental          Balanced SoftMax for incremental learning (Jodelet et al. 2021)
universal_features   the local geometry of cross-entropy (Huang et al. 2019)
theorems             which choice rules have a loss, where cross-entropy can rise, what follows for learning

theorems is collected from choice_rules, dilated_flow and proper_losses; together has all of these ledgers.

Each has CLAIMS and PAPER; the verdicts of past runs are in NAME.recorded.json. No two claims here or of the paper have
one ID, and each may rest on any other.
"""

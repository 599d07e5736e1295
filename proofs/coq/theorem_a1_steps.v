(* Appendix A (paper), what its remarks and its proofs say by the way, and Theorem A1 as a whole. To be read beside
   theorem_a1_steps.py. *)

Require Import Reals Lra Lia Arith FunctionalExtensionality.
From SoftmaxTrick Require Import vectors softmax theorem_a1.
Open Scope R_scope.

(* For no K >= 1 does (2) => (1) hold of all differentiable F, and for no K >= 2 does (1) => (3). *)
Theorem as_printed : forall K, (1 <= K)%nat ->
  ~ (forall F, local_map K F -> differentiable K F -> (P1 K F <-> P2 K F) /\ (P2 K F <-> P3 K (cube K) F)).
Proof.
  intros K HK H. destruct (p2_implies_p1_counterexample K HK) as [ Hl [ Hd [ H2 H1 ] ] ].
  apply H1. apply H; assumption.
Qed.

Theorem p1_implies_p3_as_printed : forall K, (2 <= K)%nat ->
  ~ (forall F, local_map K F -> differentiable K F -> P1 K F -> P3 K (cube K) F).
Proof.
  intros K HK H. destruct (sum_of_targets_is_needed K HK) as [ F [ Hl [ Hd [ _ [ H1 H3 ] ] ] ] ].
  apply H3. apply H; assumption.
Qed.

(* "The theorem fully characterizes functions that have the dilated SoftMax trick property": not for any K >= 1. *)
Theorem slack_has_the_trick : forall K, (1 <= K)%nat ->
  ~ (forall F, local_map K F -> differentiable K F -> P3 K (simplex K) F -> P1 K F).
Proof.
  intros K HK H. destruct (unity_is_needed K HK) as [ F [ Hl [ Hd [ _ [ _ [ H3 H1 ] ] ] ] ] ].
  apply H1. apply H; assumption.
Qed.

(* (2) => (1), first lines: "y_i = e^(d_i x_i) / (e^(d_i x_i) + e^(-C))" is said to be the general solution of
   dy_i/dx_i = (1 - y_i) y_i d_i. y_i = 0 is a solution too; C may depend on the other coordinates. *)
Theorem general_form_counterexample : forall K d, (1 <= K)%nat ->
  ~ (forall F, local_map K F -> differentiable K F ->
       (forall x i, (i < K)%nat -> partial (fun z => F z i) i x ((1 - F x i) * F x i * d i)) ->
     forall x i, (i < K)%nat -> exists C, F x i = exp (d i * x i) / (exp (d i * x i) + exp (- C))).
Proof.
  intros K d HK H. destruct (zero_map K HK) as [ Hl [ Hd _ ] ].
  destruct (H (fun _ _ => 0) Hl Hd) with (x := fun _ : nat => 0) (i := O) as [ C HC ]; [ | lia | ].
  - intros x i _. apply partial_eq with 0; [ exact (partial_const 0 i x) | ring ].
  - assert (0 < exp (d O * 0) / (exp (d O * 0) + exp (- C))).
    { apply Rdiv_lt_0_compat; [ apply exp_pos | apply Rplus_lt_0_compat; apply exp_pos ]. }
    cbv beta in HC. lra.
Qed.

(* (2) => (1), after the two cases: z_j = e^(d_j x_j) / y_j is z_1 e^(c_j), so y_j = e^(d_j x_j - c_j) / z_1. *)
Theorem log_z_equal : forall K F d, (1 <= K)%nat -> local_map K F ->
  (forall x i, (i < K)%nat -> 0 < F x i) -> P2_with d K F ->
  let z := fun (x : vector) (j : nat) => exp (d j * x j) / F x j in
  exists c, forall x j, (j < K)%nat -> z x j = z x O * exp (c j) /\ F x j = exp (d j * x j - c j) / z x O.
Proof.
  intros K F d HK Hlocal Hpos Hd z. destruct (p2_gives_family K F d Hlocal Hd) as [ a [ C H ] ].
  assert (Ha : forall i, (i < K)%nat -> a i <> 0).
  { intros i Hi E. destruct (H (fun _ => 0)) as [ _ Hy ]. specialize (Hpos (fun _ => 0) i Hi).
    rewrite (Hy i Hi) in Hpos. unfold family in Hpos. rewrite E in Hpos. unfold Rdiv in Hpos. lra. }
  assert (He : forall u, exp u <> 0) by (intros; apply Rgt_not_eq; apply exp_pos).
  assert (Hz : forall x j, (j < K)%nat -> z x j = weight K a d C x / a j).
  { intros x j Hj. unfold z. destruct (H x) as [ Hw Hy ]. rewrite (Hy j Hj). unfold family. field. auto. }
  assert (Hratio : forall j, (j < K)%nat -> 0 < a O / a j).
  { intros j Hj. assert (H0 := Hpos (fun _ => 0) O ltac:(lia)). assert (H1 := Hpos (fun _ => 0) j Hj).
    assert (Z0 : 0 < z (fun _ => 0) O) by (apply Rdiv_lt_0_compat; [ apply exp_pos | assumption ]).
    assert (Z1 : 0 < z (fun _ => 0) j) by (apply Rdiv_lt_0_compat; [ apply exp_pos | assumption ]).
    replace (a O / a j) with (z (fun _ => 0) j / z (fun _ => 0) O); [ apply Rdiv_lt_0_compat; assumption | ].
    rewrite !Hz by lia. field. split; [ apply Ha; assumption | ]. split; [ apply Ha; lia | apply H ]. }
  exists (fun j => ln (a O / a j)). intros x j Hj. destruct (H x) as [ Hw _ ].
  assert (E : z x j = z x O * exp (ln (a O / a j))).
  { rewrite exp_ln, !Hz by (lia || apply Hratio; assumption). field. split; [ apply Ha; assumption | apply Ha; lia ]. }
  split; [ exact E | ]. unfold Rminus. rewrite exp_plus, exp_Ropp.
  assert (Hy := Rgt_not_eq _ _ (Hpos x j Hj)). assert (Hz0 : z x O <> 0).
  { rewrite Hz by lia. apply Rmult_integral_contrapositive. split; [ assumption | ].
    apply Rinv_neq_0_compat. apply Ha. lia. }
  replace (exp (d j * x j) * / exp (ln (a O / a j)) / z x O) with
    (exp (d j * x j) / (z x O * exp (ln (a O / a j)))) by (field; auto).
  rewrite <- E. unfold z. field. auto.
Qed.

(* (2) => (1), last step: (P2) does not give the unity that the step takes from it. *)
Theorem unity_of_p2 : forall K, (1 <= K)%nat ->
  ~ (forall F, local_map K F -> differentiable K F -> P2 K F -> forall x, sum K (F x) = 1).
Proof.
  intros K HK H. destruct (slack_properties K (fun _ => 1)) as [ Hl [ Hd [ _ [ Hs [ H2 _ ] ] ] ] ].
  specialize (Hs (fun _ => 0)). rewrite (H _ Hl Hd H2) in Hs. lra.
Qed.

(* The remark on the Sigmoid is for K >= 2: for K = 1 it has the trick. *)
Theorem sigmoid_of_one_class : let F := fun (x : vector) (i : nat) => 1 / (1 + exp (- x i)) in
  P2 1 F /\ P3 1 (simplex 1) F.
Proof.
  intros F. destruct (slack_properties 1 (fun _ => 1)) as [ _ [ _ [ _ [ _ [ [ d Hd ] _ ] ] ] ] ].
  assert (E : forall x i, (i < 1)%nat -> F x i = family 1 (fun _ => 1) (fun _ => 1) 1 x i).
  { intros x i Hi. replace i with O by lia. unfold F, family, weight. simpl.
    rewrite !Rmult_1_l, Rplus_0_l, exp_Ropp. assert (H := exp_pos (x O)). field.
    split; [ | apply Rgt_not_eq; assumption ]; lra. }
  assert (H2 : P2 1 F) by (exists d; apply p2_of_equal with (2 := Hd); exact E).
  split; [ assumption | ]. apply p2_implies_p3_repaired; [ | assumption ].
  intros x i _. apply Rgt_not_eq. apply Rdiv_lt_0_compat; [ lra | ]. assert (H := exp_pos (- x i)). lra.
Qed.

(* With d = e_1, y_1 does not depend on x_2. *)
Theorem depends_on_all_counterexample : forall K, (2 <= K)%nat ->
  exists c d, forall x s,
    softmax K (fun k => d k * update x 1 s k - c k) O = softmax K (fun k => d k * x k - c k) O.
Proof.
  intros K HK. exists (fun _ => 0), (unit O). intros x s. apply softmax_ext; [ | lia ]. intros k _.
  unfold unit. rewrite !(delta_at k O). reflexivity.
Qed.

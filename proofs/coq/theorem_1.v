(* Theorem 1 (paper, section 2): elementary properties of cross-entropy, alone and after SoftMax. To be read beside
   theorem_1.py: the theorems have the names of its functions, and their order.

   Let t in [0,1]^K, sum_k t_k = 1, be the target distribution and y in (0,1)^K, sum_k y_k = 1, the predicted one. Then

     1. dCE/dy_i = t_i / y_i                                            (false: the sign; equation (3) has it right)
     2. grad_y CE = t / y                                               (false: the sign)
     3. {CE(t, y) : t in [0,1]^K, y in (0,1)^K} = (0, oo)               (under these hypotheses, for K >= 2)
     4. SoftCE(t, x) = CE(t, SoftMax(x)) has
        (a) Jacobian(SoftMax)(x) = diag[y] - y y^T
        (b) dSoftCE/dx_i = y_i - t_i
        (c) grad_x SoftCE = y - t
        (d) {SoftCE(t, x) : t in [0,1]^K, x in R^K} = (-1, +1)          (false: that is the range of the gradient) *)

Require Import Reals Lra Lia Arith FunctionalExtensionality.
From SoftmaxTrick Require Import vectors softmax theorem_a1.
Open Scope R_scope.

(* The predicted distributions. *)
Definition open_simplex (K : nat) (y : vector) := (forall k, (k < K)%nat -> 0 < y k < 1) /\ sum K y = 1.

(* --- 1 and 2: the gradient of cross-entropy ----------------------------------------------------------------------- *)

Lemma partial_of_ce : forall K t y i, (i < K)%nat -> (forall k, (k < K)%nat -> 0 < y k) ->
  partial (cross_entropy K t) i y (- t i / y i).
Proof.
  intros K t y i Hi Hy. unfold cross_entropy.
  apply partial_eq with (- sum K (fun k => t k * (/ y k * delta k i))).
  - apply partial_opp. apply (partial_sum K (fun k z => t k * ln (z k))). intros k Hk.
    apply (partial_scale (t k) (fun z => ln (z k))). apply (partial_ln (fun z => z k)); [ auto | ].
    apply partial_coordinate.
  - rewrite (sum_ext K _ (fun k => delta k i * (t k * / y k))) by (intros; ring).
    rewrite sum_delta by assumption. unfold Rdiv. ring.
Qed.

Lemma uniform : forall K, (2 <= K)%nat -> open_simplex K (fun _ => / INR K).
Proof.
  intros K HK. assert (2 <= INR K) by (apply (le_INR 2); assumption).
  assert (0 < / INR K) by (apply Rinv_0_lt_compat; lra).
  assert (/ INR K <= / 2) by (apply Rinv_le_contravar; lra).
  split; [ intros; lra | rewrite sum_const; field; lra ].
Qed.

(* As printed, false for every K >= 2 and every class: at t = e_i and the uniform y. *)
Theorem property_1 : forall K i, (2 <= K)%nat -> (i < K)%nat ->
  exists t y, simplex K t /\ open_simplex K y /\ ~ partial (cross_entropy K t) i y (t i / y i).
Proof.
  intros K i HK Hi. exists (unit i), (fun _ => / INR K). split; [ apply unit_in_simplex; assumption | ].
  destruct (uniform K HK) as [ Hpos Hsum ]. split; [ split; assumption | ]. intros H.
  assert (E := partial_unique _ _ _ _ _ H (partial_of_ce K (unit i) _ i Hi (fun k Hk => proj1 (Hpos k Hk)))).
  unfold unit in E. rewrite delta_same in E. unfold Rdiv in E. rewrite Rinv_inv in E.
  assert (2 <= INR K) by (apply (le_INR 2); assumption). lra.
Qed.

Theorem property_2 : forall K, (2 <= K)%nat ->
  exists t y, simplex K t /\ open_simplex K y /\ ~ gradient K (cross_entropy K t) y (fun i => t i / y i).
Proof.
  intros K HK. destruct (property_1 K O HK ltac:(lia)) as [ t [ y [ Ht [ Hy H ] ] ] ].
  exists t, y. repeat split; try apply Ht; try apply Hy; auto. intros G. apply H. apply G. lia.
Qed.

Theorem property_2_repaired : forall K t y, (forall k, (k < K)%nat -> 0 < y k) ->
  gradient K (cross_entropy K t) y (fun i => - t i / y i).
Proof. intros K t y Hy i Hi. apply partial_of_ce; assumption. Qed.

Theorem property_1_repaired : forall K t y i, (i < K)%nat -> (forall k, (k < K)%nat -> 0 < y k) ->
  partial (cross_entropy K t) i y (- t i / y i).
Proof. exact partial_of_ce. Qed.

(* --- 3: the range of cross-entropy -------------------------------------------------------------------------------- *)

(* The set that is printed does not say that t and y sum to one: by itself it contains t = 0, and the value 0. *)
Theorem property_3_without_the_sums : forall K,
  ~ (forall v, (exists t y, cube K t /\ (forall k, (k < K)%nat -> 0 < y k < 1) /\ cross_entropy K t y = v) <-> 0 < v).
Proof.
  intros K H. apply (Rlt_irrefl 0). apply H.
  exists (fun _ => 0), (fun _ => / 2). split; [ intros k _; lra | ]. split; [ intros; lra | ].
  unfold cross_entropy. rewrite (sum_ext K _ (fun _ => 0)), sum_zero by (intros; ring). ring.
Qed.

Lemma exp_at_unit : forall K i s, (i < K)%nat -> sum K (fun k => exp (delta k i * s)) = INR K - 1 + exp s.
Proof.
  intros K i s Hi. rewrite (sum_ext K _ (fun k => (exp s - 1) * delta k i + 1)).
  - rewrite sum_plus, sum_scale, sum_unit, sum_const by assumption. ring.
  - intros k _. unfold delta. destruct (Nat.eqb k i); [ rewrite Rmult_1_l; ring | rewrite Rmult_0_l, exp_0; ring ].
Qed.

(* SoftMax reaches each p in (0,1) at each class, for K >= 2. *)
Lemma softmax_reaches : forall K i p, (2 <= K)%nat -> (i < K)%nat -> 0 < p < 1 -> exists x, softmax K x i = p.
Proof.
  intros K i p HK Hi Hp. assert (2 <= INR K) by (apply (le_INR 2); assumption).
  set (u := p / (1 - p) * (INR K - 1)).
  assert (0 < u).
  { apply Rmult_lt_0_compat; [ apply Rdiv_lt_0_compat | ]; lra. }
  exists (fun k => delta k i * ln u). unfold softmax. rewrite exp_at_unit, delta_same, Rmult_1_l, exp_ln by assumption.
  unfold u. field. split; [ lra | ]. intros E.
  assert (p * (INR K - 1) + (1 - p) * (INR K - 1) = INR K - 1) by ring. lra.
Qed.

(* (0,1)^K with sum 1: for K = 1, SoftMax is 1, and 1 is not in (0,1). *)
Theorem softmax_in_open_simplex : forall K x, (2 <= K)%nat -> open_simplex K (softmax K x).
Proof.
  intros K x HK. assert (Hsum : sum K (softmax K x) = 1) by (apply softmax_sums_to_one; lia).
  split; [ | assumption ]. intros k Hk. split; [ apply softmax_positive; assumption | ].
  set (j := if Nat.eqb k O then 1%nat else O).
  assert (Hj : (j < K)%nat) by (unfold j; destruct (Nat.eqb k O); lia).
  assert (Hjk : delta j k = 0) by (apply delta_other; unfold j; destruct (Nat.eqb_spec k O); lia).
  assert (0 < softmax K x j) by (apply softmax_positive; assumption).
  assert (Hrest : sum K (fun n => (1 - delta n k) * softmax K x n) = 1 - softmax K x k).
  { rewrite (sum_ext K _ (fun n => softmax K x n - delta n k * softmax K x n)) by (intros; ring).
    rewrite sum_minus, sum_delta, Hsum by assumption. reflexivity. }
  assert ((1 - delta j k) * softmax K x j <= 1 - softmax K x k).
  { rewrite <- Hrest. apply (sum_at_least K (fun n => (1 - delta n k) * softmax K x n)); [ | assumption ].
    intros n Hn. assert (0 < softmax K x n) by (apply softmax_positive; assumption).
    unfold delta. destruct (Nat.eqb n k); lra. }
  rewrite Hjk in *. lra.
Qed.

Lemma ce_at_vertex : forall K i y, (i < K)%nat -> cross_entropy K (unit i) y = - ln (y i).
Proof. intros. unfold cross_entropy, unit. rewrite (sum_delta K i (fun k => ln (y k))) by assumption. reflexivity. Qed.

(* With the hypotheses of the theorem the range is (0, oo), for K >= 2. *)
Theorem property_3 : forall K v, (2 <= K)%nat ->
  ((exists t y, simplex K t /\ open_simplex K y /\ cross_entropy K t y = v) <-> 0 < v).
Proof.
  intros K v HK. split.
  - intros [ t [ y [ [ Ht Hsum ] [ [ Hy _ ] H ] ] ] ]. subst v. unfold cross_entropy.
    assert (Hln : forall k, (k < K)%nat -> ln (y k) < 0).
    { intros k Hk. rewrite <- ln_1. apply ln_increasing; apply Hy; assumption. }
    destruct (some_entry_or_none K t) as [ [ i [ Hi H0 ] ] | H0 ].
    2: { rewrite (sum_ext K t (fun _ => 0)), sum_zero in Hsum by assumption. lra. }
    assert (0 < - (t i * ln (y i))).
    { specialize (Hln i Hi). specialize (Ht i Hi). assert (0 < t i) by lra. nra. }
    assert (- (t i * ln (y i)) <= sum K (fun k => - 1 * (t k * ln (y k)))).
    { apply Rle_trans with (- 1 * (t i * ln (y i))); [ lra | ].
      apply (sum_at_least K (fun k => - 1 * (t k * ln (y k)))); [ | assumption ].
      intros k Hk. specialize (Hln k Hk). specialize (Ht k Hk). nra. }
    rewrite sum_scale in *. lra.
  - intros Hv. assert (Hp : 0 < exp (- v) < 1).
    { split; [ apply exp_pos | rewrite <- exp_0; apply exp_increasing; lra ]. }
    destruct (softmax_reaches K O (exp (- v)) HK ltac:(lia) Hp) as [ x Hx ].
    exists (unit O), (softmax K x). split; [ apply unit_in_simplex; lia | ].
    split; [ apply softmax_in_open_simplex; assumption | ].
    rewrite ce_at_vertex, Hx, ln_exp by lia. ring.
Qed.

(* --- 4: SoftMax and SoftCE ---------------------------------------------------------------------------------------- *)

Lemma jacobian_ext : forall K F x J J',
  (forall i j, (i < K)%nat -> (j < K)%nat -> J i j = J' i j) -> jacobian K F x J -> jacobian K F x J'.
Proof. intros K F x J J' H HJ i j Hi Hj. rewrite <- H by assumption. apply HJ; assumption. Qed.

Theorem property_4a : forall K x, let y := softmax K x in jacobian K (softmax K) x (minus (diag y) (outer y y)).
Proof.
  intros K x y. apply jacobian_ext with (softmax_type K y (fun _ => 1)); [ | apply softmax_jacobian ].
  intros i j Hi Hj. rewrite softmax_type_entry by assumption. unfold minus, diag, outer. ring.
Qed.

(* With dy_j/dx_i in row i and column j, as section 2 has it. *)
Theorem matrix_form : forall K x i j, let y := softmax K x in (i < K)%nat -> (j < K)%nat ->
  partial (fun z => softmax K z j) i x (minus (diag y) (outer y y) i j).
Proof.
  intros K x i j y Hi Hj. apply partial_eq with (1 := property_4a K x j i Hj Hi). fold y.
  unfold minus, diag, outer. rewrite (delta_sym j i). unfold delta. destruct (Nat.eqb_spec i j); [ subst | ]; ring.
Qed.

(* SoftCE = (sum_j t_j) log(sum_k exp x_k) - sum_j t_j x_j, for any t. *)
Lemma soft_ce_expanded : forall K t x, (0 < K)%nat ->
  soft_cross_entropy K t x = sum K t * ln (sum K (fun k => exp (x k))) - sum K (fun k => t k * x k).
Proof.
  intros K t x HK. assert (HS := sum_exp_positive K x HK). unfold soft_cross_entropy, cross_entropy, softmax.
  set (total := sum K (fun k => exp (x k))) in *.
  rewrite (sum_ext K _ (fun k => t k * x k - ln total * t k)).
  - rewrite sum_minus, sum_scale. ring.
  - intros k _. unfold Rdiv. rewrite ln_mult, ln_exp, ln_Rinv by
      (assumption || apply exp_pos || apply Rinv_0_lt_compat; assumption). ring.
Qed.

(* dSoftCE/dx_i = y_i sum_j t_j - t_i, for any t. *)
Lemma partial_of_soft_ce : forall K t x i, (i < K)%nat ->
  partial (soft_cross_entropy K t) i x (softmax K x i * sum K t - t i).
Proof.
  intros K t x i Hi. assert (HK : (0 < K)%nat) by lia.
  apply partial_ext with (fun z => sum K t * ln (sum K (fun k => exp (z k))) - sum K (fun k => t k * z k)).
  { intros. symmetry. apply soft_ce_expanded. assumption. }
  apply partial_eq with (sum K t * (/ sum K (fun k => exp (x k)) * sum K (fun k => exp (x k) * delta k i))
    - sum K (fun k => t k * delta k i)).
  - apply partial_minus.
    + apply (partial_scale (sum K t) (fun z => ln (sum K (fun k => exp (z k))))).
      apply (partial_ln (fun z => sum K (fun k => exp (z k)))); [ apply sum_exp_positive; assumption | ].
      apply (partial_sum K (fun k z => exp (z k))). intros. apply (partial_exp (fun z => z k)).
      apply partial_coordinate.
    + apply (partial_sum K (fun k z => t k * z k)). intros. apply (partial_scale (t k) (fun z => z k)).
      apply partial_coordinate.
  - rewrite (sum_ext K (fun k => exp (x k) * delta k i) (fun k => delta k i * exp (x k))) by (intros; ring).
    rewrite (sum_ext K (fun k => t k * delta k i) (fun k => delta k i * t k)) by (intros; ring).
    rewrite !sum_delta by assumption. unfold softmax. field.
    apply Rgt_not_eq. apply sum_exp_positive. assumption.
Qed.

Theorem property_4b : forall K t x i, simplex K t -> (i < K)%nat ->
  partial (soft_cross_entropy K t) i x (softmax K x i - t i).
Proof.
  intros K t x i [ _ Ht ] Hi. apply partial_eq with (1 := partial_of_soft_ce K t x i Hi). rewrite Ht. ring.
Qed.

(* The SoftMax trick, equations (4) and (5): the chain rule (dy/dx)^T (-t / y) gives the same. *)
Theorem property_4c : forall K t x, simplex K t -> let y := softmax K x in
  gradient K (soft_cross_entropy K t) x (fun i => y i - t i) /\
  forall i, (i < K)%nat ->
    times K (transpose (minus (diag y) (outer y y))) (fun k => - t k / y k) i = y i - t i.
Proof.
  intros K t x Ht y. split; [ intros i Hi; apply property_4b; assumption | ]. intros i Hi.
  transitivity (trick K (softmax_type K y (fun _ => 1)) t y i).
  - apply (trick_ext K (minus (diag y) (outer y y))). intros j Hj. rewrite softmax_type_entry by assumption.
    unfold minus, diag, outer. ring.
  - rewrite trick_of_softmax_type; [ | assumption | intros; apply Rgt_not_eq; apply softmax_positive; assumption ].
    destruct Ht as [ _ Ht ]. rewrite Ht. ring.
Qed.

(* As printed, for every K >= 2: t = e_1, x = (0, log 8, 0, ...) has SoftCE = log(7 + K) > 1. *)
Theorem property_4d_counterexample : forall K, (2 <= K)%nat ->
  ~ (forall v, (exists t x, cube K t /\ soft_cross_entropy K t x = v) <-> -1 < v < 1).
Proof.
  intros K HK H. assert (HR : 2 <= INR K) by (apply (le_INR 2); assumption).
  set (x := fun k => delta k 1%nat * ln 8).
  assert (1 < soft_cross_entropy K (unit O) x).
  { unfold soft_cross_entropy. rewrite ce_at_vertex by lia. unfold softmax, x.
    rewrite exp_at_unit, exp_ln by (lia || lra). unfold delta at 1. simpl.
    rewrite Rmult_0_l, exp_0. unfold Rdiv. rewrite Rmult_1_l, ln_Rinv by lra. rewrite Ropp_involutive.
    rewrite <- (ln_exp 1) at 1. apply ln_increasing; [ apply exp_pos | ]. assert (E := exp_le_3). lra. }
  assert (-1 < soft_cross_entropy K (unit O) x < 1); [ | lra ]. apply H. exists (unit O), x.
  split; [ apply unit_in_simplex; lia | reflexivity ].
Qed.

(* Each component of the gradient has the range (-1, 1), for K >= 2. *)
Theorem property_4d_repaired : forall K i v, (2 <= K)%nat -> (i < K)%nat ->
  ((exists t x, simplex K t /\ partial (soft_cross_entropy K t) i x v) <-> -1 < v < 1).
Proof.
  intros K i v HK Hi. split.
  - intros [ t [ x [ Ht H ] ] ]. rewrite (partial_unique _ _ _ _ _ H (property_4b K t x i Ht Hi)).
    destruct (softmax_in_open_simplex K x HK) as [ Hy _ ]. specialize (Hy i Hi).
    destruct Ht as [ Ht _ ]. specialize (Ht i Hi). lra.
  - intros Hv. destruct (softmax_reaches K i ((1 + v) / 2) HK Hi ltac:(lra)) as [ x Hx ].
    set (j := if Nat.eqb i O then 1%nat else O).
    assert (Hj : (j < K)%nat) by (unfold j; destruct (Nat.eqb i O); lia).
    assert (Hij : i <> j) by (unfold j; destruct (Nat.eqb_spec i O); lia).
    set (t := fun k => (1 - v) / 2 * delta k i + (1 + v) / 2 * delta k j).
    assert (Ht : simplex K t).
    { split; unfold t.
      - intros k _. destruct (Nat.eq_dec k i) as [ -> | Hk ].
        + rewrite delta_same, delta_other by assumption. lra.
        + rewrite (delta_other k i) by assumption. unfold delta. destruct (Nat.eqb k j); lra.
      - rewrite sum_plus, !sum_scale, !sum_unit by assumption. field. }
    exists t, x. split; [ assumption | ].
    apply partial_eq with (1 := property_4b K t x i Ht Hi). rewrite Hx. unfold t.
    rewrite delta_same, delta_other by assumption. field.
Qed.
